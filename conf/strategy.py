"""Configuration of how the ranks of a training work together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from conf.section import Section


class RingConfig(Section):
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


class DdpConfig(Section):
    """torch's DistributedDataParallel, or FSDP2."""

    shard: bool = Field(
        False,
        description="FSDP2: each rank keeps a part of gradients and optimizer state, and of the parameters "
        "between steps.",
    )


class LocalSgdConfig(Section):
    """Local steps on each rank, then the parameters are averaged (DiLoCo, arXiv 2311.08105)."""

    local_steps: int = Field(
        50, ge=1, description="Steps between averages; must divide validate_every and checkpoint_every."
    )
    outer: Literal["average", "nesterov"] = Field(
        "average",
        description="What follows a round: the average itself, or a Nesterov step towards it (DiLoCo).",
    )
    outer_learning_rate: float = Field(0.7, gt=0, description="Rate of `outer: nesterov` (DiLoCo: 0.7).")
    outer_momentum: float = Field(0.9, gt=0, lt=1, description="Momentum of `outer: nesterov` (DiLoCo: 0.9).")


class ParameterServerConfig(Section):
    """Servers hold the parameters and run the optimizer; each takes a slot beside the ranks."""

    servers: int = Field(1, ge=1, le=256, description="Server tasks, in addition to num_ranks.")
    mode: Literal["sync", "async"] = Field(
        "sync",
        description="sync: one update a step from all ranks' gradients, as the ring. "
        "async: each rank's gradient is an update of its own when it arrives.",
    )
    max_staleness: int = Field(
        2, ge=0, description="async: steps that a rank may be ahead of the slowest one before it waits."
    )


class StrategyConfig(Section):
    """How the ranks of a training work together."""

    name: Literal["auto", "single", "ring", "ddp", "local_sgd", "parameter_server"] = Field(
        "auto", description="auto: ring for several ranks, single for one."
    )
    ring: RingConfig = Field(default_factory=RingConfig)
    ddp: DdpConfig = Field(default_factory=DdpConfig)
    local_sgd: LocalSgdConfig = Field(default_factory=LocalSgdConfig)
    parameter_server: ParameterServerConfig = Field(default_factory=ParameterServerConfig)

    @property
    def num_servers(self) -> int:
        """Tasks that are needed in addition to the ranks."""
        return self.parameter_server.servers if self.name == "parameter_server" else 0

    def expendable(self, num_ranks: int) -> range:
        """Ranks that the others can go on without; rank 0 writes checkpoints and model, so it is not one."""
        is_async = self.name == "parameter_server" and self.parameter_server.mode == "async"
        return range(1, num_ranks if is_async else 1)

    def identity(self) -> dict[str, Any]:
        """What of the strategy decides the values that training computes; empty if it equals one rank.

        single, ring, ddp and a synchronous parameter server compute the same, so a checkpoint of one
        serves the others.
        """
        if self.name in {"auto", "ring"} and self.ring.compression != "none":
            return {"train.strategy.ring.compression": self.ring.compression}
        if self.name == "local_sgd":
            chosen = self.local_sgd.model_dump(mode="json")
            if self.local_sgd.outer == "average":
                chosen = {name: chosen[name] for name in ("local_steps", "outer")}
            return {f"train.strategy.local_sgd.{name}": value for name, value in chosen.items()}
        if self.name == "parameter_server" and self.parameter_server.mode == "async":
            names = ("mode", "max_staleness")
            return {
                f"train.strategy.parameter_server.{name}": getattr(self.parameter_server, name)
                for name in names
            }
        return {}

    def check_sharding(self, optimizer: str, *, compiles: bool) -> None:
        """Refuse what does not work on parts of parameters.

        Args:
            optimizer: `train.optimizer`.
            compiles: `train.compile`.
        """
        if self.name != "ddp" or not self.ddp.shard:
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

    def check_schedule(self, **every: int) -> None:
        """Refuse intervals that would end a round of local steps early.

        Args:
            every: Steps between events at which all ranks need the same parameters, by key.
        """
        steps = self.local_sgd.local_steps
        for key, value in every.items():
            if self.name == "local_sgd" and value % steps:
                raise ValueError(
                    f"{key} = {value} is not a multiple of strategy.local_sgd.local_steps = {steps}; between "
                    f"two averages the ranks hold different parameters, so set {key} to a multiple"
                )
