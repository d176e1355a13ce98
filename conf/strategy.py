"""Configuration of how the ranks of a training work together: a section a strategy, which answers for it.

A run file may have the keys of every strategy, whichever is named: `--set train.strategy.name=ddp` changes
the strategy and leaves the others' keys for the next time. A union by `name` would refuse them, so the union
is `StrategyConfig.chosen` and not the shape of the run file.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from conf.section import Extended, Section


class StrategySection(Section):
    """What a strategy is asked, answered as by one whose ranks compute what a single rank does.

    Attributes:
        for_one_rank: Whether there must not be more than one rank.
        needs_all_gradients: Whether a step waits until every parameter has a gradient.
        shares_loss_scale: Whether all that update parameters know float16's loss scale.
    """

    for_one_rank: ClassVar[bool] = False
    needs_all_gradients: ClassVar[bool] = False
    shares_loss_scale: ClassVar[bool] = True

    @property
    def num_servers(self) -> int:
        """Tasks that are needed in addition to the ranks."""
        return 0

    @property
    def keeps_model(self) -> bool:
        """Whether the model that is exported is the one that was built, with its adapters."""
        return True

    def expendable(self, num_ranks: int) -> range:
        """Ranks that the others can go on without; rank 0 writes checkpoints and model, so it is not one."""
        del num_ranks
        return range(1, 1)

    def identity(self) -> dict[str, Any]:
        """What of the strategy decides the values that training computes; empty if it equals one rank.

        A checkpoint of one strategy whose identity is empty serves the others.
        """
        return {}

    def check_sharding(self, optimizer: str, *, compiles: bool) -> None:
        """Refuse what does not work on parts of parameters.

        Args:
            optimizer: `train.optimizer`.
            compiles: `train.compile`.

        Raises:
            ValueError: The strategy divides parameters, and one of them needs whole ones.
        """

    def check_schedule(self, **every: int) -> None:
        """Refuse intervals that would end a round of local steps early.

        Args:
            every: Steps between events at which all ranks need the same parameters, by key.

        Raises:
            ValueError: The strategy has rounds, and an interval is no multiple of them.
        """


class SingleConfig(StrategySection):
    """One rank alone; it has no keys."""

    for_one_rank: ClassVar[bool] = True


class RingConfig(StrategySection):
    """Ring all-reduce through Horovod; nothing of it but the compression changes what is computed."""

    compression: Literal["none", "fp16"] = Field(
        "none", description="Gradients on the wire; fp16: half the bytes, rounded to 11 bits of mantissa."
    )
    overlap: bool = Field(
        False, description="Start the sum of a bucket of gradients while backward computes the others."
    )
    bucket_mib: float = Field(4.0, gt=0, le=2**20, description="Size of a bucket of `overlap`, in MiB.")
    fusion_mib: int | None = Field(
        None,
        ge=0,
        le=2**20,
        description="Horovod's tensor fusion buffer in MiB, for buckets that are ready together; 0: none, "
        "null: Horovod's 128.",
    )
    cycle_ms: float | None = Field(
        None, gt=0, le=10_000, description="Horovod's cycle time in ms; null: 5 on CPUs, Horovod's 1 on GPUs."
    )

    @model_validator(mode="after")
    def _check(self) -> RingConfig:
        if self.overlap and self.compression != "none":
            raise ValueError(
                f"overlap = true does not go with compression = {self.compression!r}, which needs the "
                f"largest gradient before it sends the first; set one of them to its default"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """The compression, if there is any."""
        if self.compression == "none":
            return {}
        return {"train.strategy.ring.compression": self.compression}


class DdpConfig(StrategySection):
    """torch's DistributedDataParallel, or FSDP2."""

    needs_all_gradients: ClassVar[bool] = True

    shard: bool = Field(
        False,
        description="FSDP2: each rank keeps a part of gradients and optimizer state, and of the parameters "
        "between steps.",
    )

    @property
    def keeps_model(self) -> bool:
        """FSDP2 divides the model, and builds it anew in the end."""
        return not self.shard

    def check_sharding(self, optimizer: str, *, compiles: bool) -> None:
        """FSDP2 divides parameters."""
        if not self.shard:
            return
        if optimizer == "adafactor":
            raise ValueError(
                "optimizer = adafactor does not go with strategy.ddp.shard = true: it needs whole rows and "
                "columns of each matrix, and a rank has a part of them; use adamw, or leave shard out"
            )
        if compiles:
            raise ValueError(
                "compile = true does not go with strategy.ddp.shard = true, which was not tested together; "
                "set one of them to false"
            )


class LocalSgdConfig(StrategySection):
    """Local steps on each rank, then the parameters are averaged (DiLoCo, arXiv 2311.08105)."""

    shares_loss_scale: ClassVar[bool] = False

    local_steps: int = Field(
        50, ge=1, description="Steps between averages; must divide validate_every and checkpoint_every."
    )
    outer: Literal["average", "nesterov"] = Field(
        "average",
        description="What follows a round: the average itself, or a Nesterov step towards it (DiLoCo).",
    )
    outer_learning_rate: float = Field(0.7, gt=0, description="Rate of `outer: nesterov` (DiLoCo: 0.7).")
    outer_momentum: float = Field(0.9, gt=0, lt=1, description="Momentum of `outer: nesterov` (DiLoCo: 0.9).")

    def identity(self) -> dict[str, Any]:
        """All of it; without an outer optimizer, not that one's settings."""
        chosen = self.model_dump(mode="json")
        if self.outer == "average":
            chosen = {name: chosen[name] for name in ("local_steps", "outer")}
        return {f"train.strategy.local_sgd.{name}": value for name, value in chosen.items()}

    def check_schedule(self, **every: int) -> None:
        """Between two averages the ranks differ."""
        for key, value in every.items():
            if value % self.local_steps:
                raise ValueError(
                    f"{key} = {value} is not a multiple of strategy.local_sgd.local_steps = "
                    f"{self.local_steps}; between two averages the ranks hold different parameters, so set "
                    f"{key} to a multiple"
                )


class ParameterServerConfig(StrategySection):
    """Servers hold the parameters and run the optimizer; each takes a slot beside the ranks."""

    shares_loss_scale: ClassVar[bool] = False

    servers: int = Field(1, ge=1, le=256, description="Server tasks, in addition to num_ranks.")
    mode: Literal["sync", "async"] = Field(
        "sync",
        description="sync: one update a step from all ranks' gradients, as the ring. "
        "async: each rank's gradient is an update of its own when it arrives.",
    )
    max_staleness: int = Field(
        2, ge=0, description="async: steps that a rank may be ahead of the slowest one before it waits."
    )

    @property
    def num_servers(self) -> int:
        """As configured."""
        return self.servers

    def expendable(self, num_ranks: int) -> range:
        """In async mode all ranks but the first: nobody waits for the gradients of all."""
        return range(1, num_ranks if self.mode == "async" else 1)

    def identity(self) -> dict[str, Any]:
        """The bound of async mode; in sync mode the sums are those of the ring."""
        if self.mode == "sync":
            return {}
        return {
            "train.strategy.parameter_server.mode": self.mode,
            "train.strategy.parameter_server.max_staleness": self.max_staleness,
        }


class AddedConfig(StrategySection):
    """A strategy of another package, whose keys are known where it is: see `training.added`."""


Chosen = SingleConfig | RingConfig | DdpConfig | LocalSgdConfig | ParameterServerConfig | AddedConfig
"""The section of one strategy: its type says which."""

StrategyName = Literal["auto", "single", "ring", "ddp", "local_sgd", "parameter_server"]
"""Ringlake's own; others are those of installed extensions."""


class StrategyConfig(Section):
    """How the ranks of a training work together."""

    name: StrategyName | Extended = Field(
        "auto",
        description="auto: ring for several ranks, single for one. Other names are those of installed "
        "extensions.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keys of a strategy of another package, which says what it takes."
    )
    ring: RingConfig = Field(default_factory=RingConfig)
    ddp: DdpConfig = Field(default_factory=DdpConfig)
    local_sgd: LocalSgdConfig = Field(default_factory=LocalSgdConfig)
    parameter_server: ParameterServerConfig = Field(default_factory=ParameterServerConfig)

    @property
    def chosen(self) -> Chosen:
        """The section of the strategy that is named, which answers for it; that of `auto` is the ring's."""
        sections: dict[str, Chosen] = {
            "auto": self.ring,
            "single": SingleConfig(),
            "ring": self.ring,
            "ddp": self.ddp,
            "local_sgd": self.local_sgd,
            "parameter_server": self.parameter_server,
        }
        return sections.get(self.name, AddedConfig())

    @model_validator(mode="after")
    def _options_have_a_taker(self) -> StrategyConfig:
        if self.options and self.name in get_args(StrategyName):
            raise ValueError(
                f"options = {self.options} are for a strategy of another package, and name = {self.name!r} "
                f"is ringlake's own, whose keys are in the section of its name"
            )
        return self
