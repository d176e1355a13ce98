"""Everything that `train_model` needs, small, and where its lines go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession

from conf.train import TrainConfig
from tests.training.tiny import MODEL
from training.data.snapshot import Snapshot
from training.start import TrainResult, train_model


@dataclass
class Place:
    folder: Path
    tokenizer: Path
    train: Snapshot
    validation: Snapshot
    mixed: list[Snapshot] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def run(
        self, spark: SparkSession, config: TrainConfig, say: Callable[[str], None] | None = None
    ) -> TrainResult:
        return train_model(
            spark,
            MODEL,
            config,
            self.train,
            self.validation,
            self.tokenizer,
            self.folder / "checkpoints",
            self.folder / "model",
            say or self.lines.append,
            self.mixed,
        )
