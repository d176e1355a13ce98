"""The whole configuration of a run."""

from __future__ import annotations

from typing import Self, TypeVar

from pydantic import Field, model_validator

from conf.card import CardConfig
from conf.clean import CleanConfig
from conf.cost import CostConfig
from conf.decontaminate import DecontaminateConfig
from conf.dedup import DedupConfig
from conf.evaluate import EvaluateConfig
from conf.features import FeaturesConfig
from conf.generate import GenerateConfig
from conf.ingest import IngestConfig
from conf.mix import MixConfig
from conf.model import TWO_VOCABULARIES, ModelConfig
from conf.pack import PackConfig
from conf.repeats import RepeatsConfig
from conf.report import ReportConfig
from conf.section import Section
from conf.spark import SparkConfig
from conf.task import TaskConfig
from conf.tokenize import TokenizeConfig
from conf.train import TrainConfig

S = TypeVar("S", bound=Section)


class RunConfig(Section):
    """A whole run: raw files in, model and report out."""

    name: str = Field("run", description="Name shown in reports and in the Spark UI.")
    lake: str = Field(
        "lake",
        description="Folder of tables, checkpoints, model and report: a path or URL. Tables have names in a "
        "catalog with unity://CATALOG.SCHEMA/FOLDER, where FOLDER has what is no table.",
    )
    spark: SparkConfig = Field(default_factory=SparkConfig)
    task: TaskConfig = Field(default_factory=TaskConfig)
    ingest: IngestConfig = Field(default_factory=IngestConfig)
    clean: CleanConfig = Field(default_factory=CleanConfig)
    repeats: RepeatsConfig = Field(default_factory=RepeatsConfig)
    dedup: DedupConfig = Field(default_factory=DedupConfig)
    decontaminate: DecontaminateConfig = Field(default_factory=DecontaminateConfig)
    tokenize: TokenizeConfig = Field(default_factory=TokenizeConfig)
    mix: MixConfig = Field(default_factory=MixConfig)
    features: FeaturesConfig = Field(default_factory=FeaturesConfig)
    pack: PackConfig = Field(default_factory=PackConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    evaluate: EvaluateConfig = Field(default_factory=EvaluateConfig)
    generate: GenerateConfig = Field(default_factory=GenerateConfig)
    report: ReportConfig = Field(default_factory=ReportConfig)
    card: CardConfig = Field(default_factory=CardConfig)
    cost: CostConfig = Field(default_factory=CostConfig)

    @model_validator(mode="after")
    def _model_takes_both_vocabularies(self) -> Self:
        if self.task.has_target_tokenizer and self.model.has_one_vocabulary:
            raise ValueError(
                f"task.target_tokenizer = {self.task.target_tokenizer!r} gives the targets a vocabulary of "
                f"their own, and a {self.model.architecture!r} model has one for both sides; set "
                f"task.target_tokenizer to shared, or model.architecture to {' or '.join(TWO_VOCABULARIES)}"
            )
        return self

    def section(self, name: str, kind: type[S]) -> S:
        """The section that the stage of that name has declared itself.

        Raises:
            AttributeError: The configuration has none of that name and kind.
        """
        found = getattr(self, name, None)
        if not isinstance(found, kind):
            raise AttributeError(f"the configuration has no section {name!r} of the kind {kind.__name__}")
        return found
