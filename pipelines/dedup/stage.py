"""The stage: `clean` in, `corpus` and `duplicates` out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark import StorageLevel
from pyspark.sql import functions as F

from conf.data import DedupConfig
from pipelines.dedup.components import LABELS, Components, connected_components
from pipelines.dedup.exact import content_hash, with_representative
from pipelines.dedup.minhash import MinHash, star_edges, with_keys
from pipelines.dedup.split import split_of
from pipelines.dedup.survivors import assign, duplicates
from pipelines.stage import Say, StageOutput
from schemas import CORPUS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def dedup(clean: DataFrame, config: DedupConfig, say: Say = lambda _line: None) -> StageOutput:
    """Removes equal and nearly equal documents, and splits what stays.

    Signatures and components are computed here. The signatures' frame is persisted and among the
    output's `shared`, whose owner unpersists them after the writes.

    Args:
        clean: Table `clean`.
        config: The section `dedup`.
        say: Prints progress.

    Raises:
        StageFailedError: The components took more than `config.max_rounds` rounds.
    """
    hashed = clean.select("doc_id", "num_bytes", content_hash(F.col("text")).alias("content"), "text")
    if config.method == "exact":
        documents = with_representative(hashed.drop("text")).persist(StorageLevel.MEMORY_AND_DISK)
        found = Components(clean.sparkSession.createDataFrame([], LABELS), 0, 0)
    else:
        family = MinHash(config.ngram, config.bands, config.rows, config.seed)
        documents = with_representative(with_keys(hashed, family)).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            edges = star_edges(documents.where("doc_id = representative"))
            found = connected_components(edges, config.max_rounds, say)
        except BaseException:
            documents.unpersist()
            raise
    assigned = assign(documents, found.labels)
    return StageOutput(
        tables={
            "corpus": _corpus(clean, assigned, config),
            "duplicates": duplicates(clean, assigned, config.ngram),
        },
        shared=(assigned, documents),
        details={"near_duplicate_edges": found.num_edges, "component_rounds": found.num_rounds},
    )


def _corpus(clean: DataFrame, assigned: DataFrame, config: DedupConfig) -> DataFrame:
    split = split_of(F.col("doc_id"), config.validation_fraction, config.split_seed)
    survivors = assigned.where("doc_id = kept_doc_id").select("doc_id", "cluster_size")
    return clean.join(survivors, "doc_id").withColumn("split", split).select(*CORPUS.column_names)
