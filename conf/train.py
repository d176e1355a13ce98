"""Section `train`: how it is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from conf.lora import LoraConfig
from conf.mixture import MixtureConfig
from conf.section import Section
from conf.strategy import StrategyConfig, StrategySection

DEFAULT_GLOBAL_BATCH_SIZE = 32
"""Sequences in a step where neither `global_batch_size` nor `global_batch_tokens` is given."""


class PlateauConfig(Section):
    """Lowers the learning rate when validation no longer improves."""

    patience: int | None = Field(
        None, ge=1, description="Validations without improvement before a reduction; null: never reduce."
    )
    factor: float = Field(0.5, gt=0, lt=1, description="What the learning rate is multiplied by each time.")


class ElasticConfig(Section):
    """Bounds on the number of ranks; each attempt takes the most that have slots and divide the shards."""

    min: int = Field(1, ge=1, description="Fewest ranks that are worth going on with.")
    max: int = Field(ge=1, description="Most ranks.")

    @model_validator(mode="after")
    def _ordered(self) -> ElasticConfig:
        if self.min > self.max:
            raise ValueError(f"min = {self.min} is more than max = {self.max}; swap them or raise max")
        return self


Port = Annotated[int, Field(ge=1, le=65535)]


MAX_RANKS = 2**13
"""Most ranks: so many hashes of 40 bits add up exactly (`training.logs.metrics`)."""


MAX_THREADS = 4096
"""Most CPU threads of a rank: more than any host has cores."""


MAX_STEPS = 10**9 - 1
"""Most steps: a checkpoint's name has nine digits."""


class TrainConfig(Section):
    """The training stage: launch, sample plan, optimizer, precision, validation, checkpoints, logs."""

    num_ranks: Annotated[int, Field(ge=1, le=MAX_RANKS)] | Literal["auto"] = Field(
        "auto",
        description="Training processes, one barrier task each; auto: 2, or 1 where there is one slot.",
    )
    threads_per_rank: Annotated[int, Field(ge=1, le=MAX_THREADS)] | Literal["auto"] = Field(
        "auto", description="CPU threads a rank computes with."
    )
    steps: int = Field(400, ge=1, le=MAX_STEPS, description="Optimizer steps.")
    global_batch_size: int | None = Field(
        None,
        ge=1,
        le=2**31,
        description=f"Sequences in a step, over all ranks; if neither this nor global_batch_tokens is given, "
        f"{DEFAULT_GLOBAL_BATCH_SIZE}, or the next lower number that canonical_shards divides.",
    )
    global_batch_tokens: int | None = Field(
        None,
        ge=1,
        description="Tokens in a step, over all ranks, instead of global_batch_size; rounded down to whole "
        "sequences, equally many of each canonical shard.",
    )
    canonical_shards: int = Field(
        4,
        ge=1,
        le=2**16,
        description="Shards the plan is made of; a multiple of num_ranks, a divisor of the global batch.",
    )
    micro_batch_size: int = Field(16, ge=1, description="Most sequences a rank computes at once.")
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of initial weights and of the sample plan.")
    optimizer: Literal["adamw", "adam", "rmsprop", "sgd", "adafactor"] = Field(
        "adamw", description="How the gradient becomes an update; each is torch.optim's own."
    )
    schedule: Literal["cosine", "warmup-stable-decay", "linear", "constant"] = Field(
        "cosine", description="Course of the learning rate after the warm-up."
    )
    learning_rate: float = Field(3e-3, gt=0, description="Highest learning rate, after the warm-up.")
    min_learning_rate: float = Field(
        # To twelve digits: a tenth of 0.003 is 0.0003, as a run file would have it.
        default_factory=lambda given: float(f"{given['learning_rate'] / 10:.12g}"),
        ge=0,
        description="Where the schedule ends, at most learning_rate; constant ignores it. Left out: a tenth "
        "of learning_rate (Hoffmann et al., arXiv 2203.15556, section 3.1).",
    )
    warmup_steps: int = Field(
        default_factory=lambda given: min(20, given["steps"] // 10),
        ge=0,
        description="Steps of linear warm-up. Left out: 20, or a tenth of the steps if that is fewer.",
    )
    decay_share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Share of the steps in which warmup-stable-decay falls, at the end.",
    )
    weight_decay: float = Field(
        0.1,
        ge=0,
        description="Decay of matrices, not of norms and biases; decoupled in adamw and adafactor, added to "
        "the gradient in the others.",
    )
    beta1: float = Field(0.9, ge=0, lt=1, description="Decay of the mean gradient (adam, adamw).")
    beta2: float = Field(0.95, ge=0, lt=1, description="Decay of the mean square (adam, adamw, rmsprop).")
    momentum: float = Field(0.0, ge=0, lt=1, description="Momentum of sgd and rmsprop.")
    nesterov: bool = Field(False, description="Nesterov's form of sgd's momentum.")
    clip_norm: float = Field(1.0, gt=0, description="Largest norm of the global gradient.")
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32",
        description="What the model computes in; weights, gradients and optimizer stay in float32.",
    )
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the training target that is spread over all tokens (translation), labels "
        "(classification) or places (question-answering).",
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none",
        description="balanced: the loss of a label is multiplied by texts / (labels x its texts) "
        "(classification).",
    )
    frozen: tuple[str, ...] = Field(
        (),
        description="Parameters that stay as they are: those whose names begin with one of these, e.g. "
        "bert.embeddings or model.layers.0.",
    )
    lora: LoraConfig = Field(
        default_factory=LoraConfig,
        description="Adapters that learn in place of a pre-trained model (package peft).",
    )
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="What the learning rate is multiplied by from a layer to the one below it; 1: all learn "
        "at the same rate.",
    )
    document_mask: bool = Field(
        False,
        description="Attention does not cross the documents of a sequence, and positions restart with each.",
    )
    compile: bool = Field(False, description="Compile the model with torch.compile.")
    activation_checkpointing: bool = Field(
        False, description="Compute activations twice instead of keeping them: less memory, slower steps."
    )
    validate_every: int = Field(
        100, ge=0, description="Steps between validations; the last step has one too. 0: never."
    )
    validate_sequences: int = Field(256, ge=1, description="Validation sequences used during training.")
    patience: int | None = Field(
        None, ge=1, description="Validations without improvement before training stops; null: never stop."
    )
    min_delta: float = Field(
        0.0, ge=0, description="Nats by which a validation loss must be lower to count as an improvement."
    )
    plateau: PlateauConfig = Field(
        default_factory=PlateauConfig, description="Lower learning rate where validation stops improving."
    )
    export: Literal["last", "best"] = Field(
        "last", description="Which weights become the model: the last ones, or those that validated best."
    )
    checkpoint_every: int = Field(
        100,
        ge=0,
        description="Steps between checkpoints; the last step, and one that validates best, have one in any "
        "case. 0: no others.",
    )
    keep_checkpoints: int = Field(
        2, ge=1, description="Newest checkpoints that are kept, beside the best one."
    )
    log_every: int = Field(
        10,
        ge=0,
        description="Steps between progress lines; the first and the last step have one. 0: no others.",
    )
    tensorboard: bool = Field(
        False, description="Also log to TensorBoard event files beside the checkpoints (package tensorboard)."
    )
    mlflow: str | None = Field(
        None,
        description="Also log to this MLflow tracking URI (package mlflow-skinny); local: a file store "
        "beside the checkpoints.",
    )
    peak_tflops: float | None = Field(
        None,
        gt=0,
        description="Peak of a rank's device in TFLOP/s, for the share of it that is used (MFU); null: from "
        "the table of known GPUs.",
    )
    stall_seconds: int = Field(
        60, ge=5, le=2_592_000, description="A collective that waits longer than this ends the job."
    )
    max_restarts: int = Field(0, ge=0, description="Whole-stage retries from the last checkpoint.")
    elastic: ElasticConfig | None = Field(
        None,
        description="Let the number of ranks follow the slots within min and max; null: always num_ranks.",
    )
    interface: str | None = Field(
        None, description="Network interface of the ranks, e.g. eth0; null: the one with the host's address."
    )
    ports: tuple[Port, Port] | None = Field(
        None, description="First and last port for the driver's line and the rendezvous; null: any free ones."
    )
    strategy: StrategyConfig = Field(
        default_factory=StrategyConfig, description="How the ranks work together."
    )
    mixture: MixtureConfig = Field(
        default_factory=MixtureConfig, description="Other lakes whose sequences are trained on as well."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_batch_size(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        size, tokens = given.get("global_batch_size"), given.get("global_batch_tokens")
        if size is not None and tokens is not None:
            raise ValueError(
                f"global_batch_size = {size} (sequences) and global_batch_tokens = {tokens} (tokens) both "
                f"set the batch of a step; set one of them to null"
            )
        if size is None and tokens is None:
            shards = given.get("canonical_shards", 1)
            # A number that is none is refused where it stands.
            shards = shards if isinstance(shards, int) and shards > 0 else 1
            default = max(1, DEFAULT_GLOBAL_BATCH_SIZE // shards) * shards
            return {**given, "global_batch_size": default}
        return given

    @model_validator(mode="after")
    def _rate_falls(self) -> Self:
        if self.min_learning_rate > self.learning_rate and self.schedule != "constant":
            raise ValueError(
                f"min_learning_rate = {self.min_learning_rate:g} is more than learning_rate = "
                f"{self.learning_rate:g}, so the schedule would go up instead of down; lower it, or leave it "
                f"out: a tenth of learning_rate"
            )
        return self

    @model_validator(mode="after")
    def _ports_in_order(self) -> Self:
        if self.ports is not None and self.ports[0] > self.ports[1]:
            raise ValueError(f"ports = {list(self.ports)}: the first is above the last; swap them")
        return self

    @model_validator(mode="after")
    def _steering_needs_validation(self) -> Self:
        wanted = {
            "patience": self.patience is not None,
            "plateau.patience": self.plateau.patience is not None,
            "export = best": self.export == "best",
        }
        asked = [name for name, is_set in wanted.items() if is_set]
        if asked and not self.validate_every:
            raise ValueError(
                f"validate_every = 0 never validates, and {asked[0]} goes by validation losses; set "
                f"validate_every to a number of steps, or leave {asked[0].partition(' ')[0]} out"
            )
        return self

    @model_validator(mode="after")
    def _momentum_has_a_use(self) -> Self:
        if self.momentum and self.optimizer not in ("sgd", "rmsprop"):
            raise ValueError(
                f"momentum = {self.momentum} is for the optimizers sgd and rmsprop, not {self.optimizer}; "
                f"leave it out"
            )
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise ValueError(
                f"nesterov needs optimizer sgd with momentum > 0, not {self.optimizer} with momentum "
                f"{self.momentum}"
            )
        return self

    @model_validator(mode="after")
    def _validates_where_it_must(self) -> Self:
        wanted = {
            "patience": self.patience is not None,
            "plateau.patience": self.plateau.patience is not None,
            "export = best": self.export == "best",
        }
        needs = [name for name, is_set in wanted.items() if is_set]
        if not self.validate_every and needs:
            raise ValueError(
                f"validate_every = 0 (never) does not go with {', '.join(needs)}, which goes by the "
                f"validation loss; set validate_every to a number of steps, or leave that out"
            )
        return self

    @model_validator(mode="after")
    def _strategy_fits(self) -> Self:
        self.check_strategy(self.strategy.chosen)
        return self

    def check_strategy(self, chosen: StrategySection) -> None:
        """Asks the section of the strategy that is chosen whether it goes with the keys of this one.

        Raises:
            ValueError: It does not.
        """
        name = self.strategy.name
        chosen.check_schedule(validate_every=self.validate_every, checkpoint_every=self.checkpoint_every)
        chosen.check_sharding(self.optimizer, compiles=self.compile)
        if self.lora.rank and not chosen.keeps_model:
            raise ValueError(
                f"lora.rank = {self.lora.rank} does not go with a strategy ({name}) that divides the model "
                f"and builds it anew; adapters are small: use ring, or ddp without shard"
            )
        if self.precision == "fp16" and not chosen.shares_loss_scale:
            raise ValueError(
                f"precision = fp16 does not go with strategy.name = {name}: its ranks and servers "
                f"share no loss scale; use bf16, or the strategies ring or ddp"
            )
        if self.elastic is not None and chosen.num_servers:
            raise ValueError(
                f"elastic does not go with strategy.name = {name}, whose servers need slots of their own; "
                f"leave elastic out, or use another strategy"
            )

    def sequences_per_step(self, sequence_length: int) -> int:
        """Sequences in a global batch of sequences of that many tokens.

        Raises:
            ValueError: `global_batch_tokens` is less than one sequence of each canonical shard.
        """
        if self.global_batch_tokens is None:
            return self.global_batch_size or DEFAULT_GLOBAL_BATCH_SIZE
        least = self.canonical_shards * sequence_length
        if self.global_batch_tokens < least:
            raise ValueError(
                f"train.global_batch_tokens = {self.global_batch_tokens} is less than {least}, one sequence "
                f"of {sequence_length} tokens for each of the {self.canonical_shards} canonical shards; "
                f"raise it, or lower train.canonical_shards"
            )
        return self.global_batch_tokens // least * self.canonical_shards
