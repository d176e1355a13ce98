"""Section `train.lora`: small matrices that learn in place of the model."""

from __future__ import annotations

from pydantic import Field

from conf.section import Section


class LoraConfig(Section):
    """Low-rank adapters on a pre-trained model (Hu et al., "LoRA", ICLR 2022)."""

    rank: int = Field(
        0,
        ge=0,
        le=4096,
        description="Rank of the two matrices that are added to each layer; all else stays as it is. 0: no "
        "adapters, the whole model learns.",
    )
    alpha: float | None = Field(
        None, gt=0, description="What they add is multiplied by alpha / rank; null: twice the rank."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before them.")
    targets: tuple[str, ...] = Field(
        (),
        description="Layers that get them, by the ends of their names, e.g. q_proj; none: all linear layers "
        "but the head.",
    )
    adapters: bool = Field(
        False,
        description="Also write the adapters alone, as the library peft reads them, into the folder "
        "model-adapters beside the model. The model has them merged in any case.",
    )
