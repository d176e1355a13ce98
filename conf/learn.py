"""Configuration of the learning side: model, train, evaluate, generate."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from conf.strategy import StrategyConfig


class ModelConfig(BaseModel):
    """The model: a `transformers` architecture built from a config, or a local pre-trained folder."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    architecture: str = Field(
        "llama", description="A `transformers` model type with a causal language model head."
    )
    config: dict[str, Any] = Field(
        default_factory=lambda: {
            "hidden_size": 192,
            "intermediate_size": 512,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 6,
            "tie_word_embeddings": True,
        },
        description="Arguments of that type's configuration; vocabulary and length are filled in.",
    )
    pretrained: str | None = Field(None, description="Local folder to start from instead (safetensors only).")


class TrainConfig(BaseModel):
    """The training stage: launch, sample plan, optimizer, checkpoints."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_ranks: int | Literal["auto"] = Field(
        "auto",
        description="Training processes, one barrier task each; auto: 2, or 1 where there is one slot.",
    )
    threads_per_rank: int | Literal["auto"] = Field("auto", description="CPU threads a rank computes with.")
    steps: int = Field(400, ge=1, description="Optimizer steps.")
    global_batch_size: int = Field(32, ge=1, description="Sequences in a step, over all ranks.")
    canonical_shards: int = Field(
        4,
        ge=1,
        description="Shards the plan is made of; a multiple of num_ranks, a divisor of the global batch.",
    )
    micro_batch_size: int = Field(16, ge=1, description="Most sequences a rank computes at once.")
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of initial weights and of the sample plan.")
    learning_rate: float = Field(3e-3, gt=0)
    min_learning_rate: float = Field(3e-4, ge=0, description="Where the cosine ends.")
    warmup_steps: int = Field(20, ge=0)
    weight_decay: float = Field(0.1, ge=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.95, ge=0, lt=1)
    clip_norm: float = Field(1.0, gt=0, description="Largest norm of the global gradient.")
    validate_every: int = Field(100, ge=1, description="Steps between validations.")
    validate_sequences: int = Field(256, ge=1, description="Validation sequences used during training.")
    checkpoint_every: int = Field(100, ge=1, description="Steps between checkpoints.")
    keep_checkpoints: int = Field(2, ge=1, description="Newest checkpoints that are kept.")
    log_every: int = Field(10, ge=1, description="Steps between progress lines.")
    stall_seconds: int = Field(60, ge=5, description="A collective that waits longer than this ends the job.")
    max_restarts: int = Field(0, ge=0, description="Whole-stage retries from the last checkpoint.")
    strategy: StrategyConfig = Field(
        default_factory=StrategyConfig, description="How the ranks work together."
    )

    @model_validator(mode="after")
    def _check_strategy(self) -> TrainConfig:
        self.strategy.check_schedule(
            validate_every=self.validate_every, checkpoint_every=self.checkpoint_every
        )
        return self


class EvaluateConfig(BaseModel):
    """The final evaluation on the whole validation split."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int = Field(32, ge=1, description="Sequences a rank computes at once.")


class GenerateConfig(BaseModel):
    """Sample generations for the report and the defaults of `ringlake generate`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: tuple[str, ...] = (
        "Return the",
        "This module provides",
        "Raises a ValueError if",
        "Parameters\n----------\n",
    )
    max_new_tokens: int = Field(60, ge=1, le=100_000)
    temperature: float = Field(0.8, ge=0, description="0 is greedy.")
    top_p: float = Field(0.95, gt=0, le=1)
    seed: int = Field(1, ge=0, lt=2**32)
