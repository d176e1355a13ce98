"""The stage: `clean` in, `corpus` and `duplicates` out; with a history, `superseded` and `signatures` too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark import StorageLevel
from pyspark.sql import functions as F

from conf.dedup import DedupConfig
from pipelines.dedup import history as past
from pipelines.dedup.buckets import members, star_edges
from pipelines.dedup.clusters import LOCAL_BYTES, clustered, num_bytes_of
from pipelines.dedup.components import connected_components
from pipelines.dedup.exact import content_hash, with_representative
from pipelines.dedup.minhash import MinHash, with_keys
from pipelines.dedup.split import split_of
from pipelines.dedup.survivors import assign, duplicates, order, stays
from pipelines.dedup.url import normalised
from pipelines.dedup.verify import verified_edges
from pipelines.errors import InputError
from pipelines.stage_output import Say, StageOutput, release
from schemas.corpus import CORPUS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class History:
    """What a batch is compared with.

    Attributes:
        rows: Table `signatures` of the history; no rows before the first batch.
        batch: Name of the batch at hand.
        withdrawn: Documents (doc_id, source) that the batch takes out of the history; None: it takes none.
    """

    rows: DataFrame
    batch: str
    withdrawn: DataFrame | None = None


def dedup(
    clean: DataFrame,
    config: DedupConfig,
    say: Say = lambda _line: None,
    history: History | None = None,
    local_bytes: int = LOCAL_BYTES,
) -> StageOutput:
    """Removes documents of equal address, equal text and nearly equal text, and splits what stays.

    Signatures and clusters are computed here, in one task where the hashes fit one and neither texts nor a
    history are needed. Their frames are persisted and among the output's `shared`, whose owner unpersists
    them after the writes. With a history, the table `signatures`
    of the output is this batch's part of it (None in `details` of "history_sequence": it is there already).

    Args:
        clean: Table `clean`.
        config: The section `dedup`.
        say: Prints progress.
        history: Signatures of earlier batches.
        local_bytes: Most bytes of hashes that are left to one task, see `clusters.LOCAL_BYTES`.

    Raises:
        StageFailedError: The components took more than `config.max_rounds` rounds.
        InputError: The history does not fit, or has every document already.
    """
    held: list[DataFrame] = []
    try:
        if history is None:
            return _alone(clean, config, say, local_bytes, held)
        return _against(clean, history, config, say, held)
    except BaseException:
        release(*held)
        raise


def sign(clean: DataFrame, config: DedupConfig) -> DataFrame:
    """What is compared of each document: doc_id, source, num_bytes, content, address and keys.

    Args:
        clean: Columns doc_id, source, num_bytes, url and text.
        config: The section `dedup`.
    """
    address = normalised(F.col("url")) if config.url else F.lit(None).cast("string")
    hashed = clean.select(
        "doc_id",
        "source",
        "num_bytes",
        content_hash(F.col("text")).alias("content"),
        address.alias("address"),
        "text",
    )
    if config.method == "exact":
        return hashed.drop("text").withColumn("keys", F.array().cast("array<long>"))
    return with_keys(hashed, MinHash(config.ngram, config.bands, config.rows, config.seed, config.unit))


def _hold(frame: DataFrame, held: list[DataFrame]) -> DataFrame:
    held.append(frame.persist(StorageLevel.DISK_ONLY))
    return frame


def _alone(
    clean: DataFrame, config: DedupConfig, say: Say, local_bytes: int, held: list[DataFrame]
) -> StageOutput:
    describe(clean, "dedup: signatures")
    signed = _hold(sign(clean, config), held)
    if config.verify_threshold is None and _num_bytes(signed, config) <= local_bytes:
        describe(clean, "dedup: clusters")
        found = _hold(clustered(signed, config), held)
        row = found.agg(F.sum("num_edges")).first()
        assert row is not None
        details: dict[str, Any] = {"near_duplicate_edges": row[0] or 0, "component_rounds": 0}
        assigned = found.withColumn("kept_batch", F.lit(None).cast("string"))
    else:
        documents = _hold(with_representative(signed.withColumn("is_known", F.lit(False))), held)
        connected = _connect(clean, documents, None, config, say)
        details = connected.details
        assigned = _hold(assign(documents, connected.labels, config), held)
    return StageOutput(tables=_tables(clean, assigned, config), shared=tuple(held), details=details)


def _num_bytes(signed: DataFrame, config: DedupConfig) -> int:
    row = signed.agg(F.sum(num_bytes_of(config))).first()
    assert row is not None
    return int(row[0] or 0)


def _against(
    clean: DataFrame, history: History, config: DedupConfig, say: Say, held: list[DataFrame]
) -> StageOutput:
    describe(clean, "dedup: signatures")
    signed = _hold(sign(clean, config), held)
    batch = past.place(history.rows, signed, history.batch, config, history.withdrawn)
    stored = batch.earlier.select("doc_id", F.lit(True).alias("stored"))
    marked = signed.join(stored, "doc_id", "left").withColumn("is_known", F.col("stored").isNotNull())
    documents = _hold(with_representative(marked), held)
    counts = documents.agg(F.count("*"), F.count("stored")).first()
    assert counts is not None
    if counts[0] and counts[0] == counts[1]:
        raise InputError(
            f"all {counts[0]} documents of batch {history.batch!r} are in the history {config.history} under "
            "the name of another batch, so that none would stay; to run that batch again, give its name "
            "with --batch"
        )
    describe(clean, "dedup: clusters of the history")
    resolved = past.resolve(batch.earlier, config.max_rounds, say).localCheckpoint()
    links = _hold(past.found(documents, batch.earlier, resolved), held)
    found = _connect(clean, documents, links, config, say)
    labels = _hold(found.labels, held)
    older = past.clusters(batch.earlier, resolved, links, order(config))
    older = _hold(
        older.join(labels, older["label"] == labels["node"], "left").select(
            F.coalesce("component", "label").alias("cluster"), "best", "size"
        ),
        held,
    )
    assigned = _hold(assign(documents, labels, config, older), held)
    tables = _tables(clean, assigned, config) | {
        "superseded": _superseded(older, assigned),
        "signatures": past.signatures(documents, assigned, links, batch, config),
    }
    details = found.details | {
        "batch": batch.name,
        "batch_number": batch.sequence,
        "known_documents": counts[1],
    }
    if history.withdrawn is not None:
        gone = past.withdrawing(history.withdrawn, batch, config)
        tables["signatures"] = tables["signatures"].select(*gone.columns).unionByName(gone)
    if batch.is_stored:
        del tables["signatures"]
    return StageOutput(tables=tables, shared=tuple(held), details=details)


@dataclass(frozen=True)
class _Connected:
    labels: DataFrame
    details: dict[str, Any]


def _connect(
    clean: DataFrame, documents: DataFrame, links: DataFrame | None, config: DedupConfig, say: Say
) -> _Connected:
    """Labels of all representatives that anything connects."""
    firsts = documents.where("doc_id = representative and not is_known")
    details: dict[str, Any] = {}
    edges = clean.sparkSession.createDataFrame([], "node string not null, hub string not null")
    if config.url:
        places = documents.where("address is not null and not is_known")
        edges = edges.union(
            star_edges(places.select(F.col("address").alias("key"), F.col("representative").alias("node")))
        )
    if config.method == "minhash":
        bucketed = members(firsts)
        if config.verify_threshold is None:
            near = star_edges(bucketed)
        else:
            describe(clean, "dedup: verification")
            texts = clean.select("doc_id", "text")
            near, details["unverified_places"] = verified_edges(
                bucketed, texts, config.ngram, config.unit, config.verify_threshold, say
            )
        edges = edges.union(near)
    if links is not None:
        edges = edges.union(
            links.where("node != label").select(F.greatest("node", "label"), F.least("node", "label"))
        )
    describe(clean, "dedup: buckets and connected components")
    found = connected_components(edges, config.max_rounds, say)
    details |= {"near_duplicate_edges": found.num_edges, "component_rounds": found.num_rounds}
    return _Connected(found.labels, details)


def _tables(clean: DataFrame, assigned: DataFrame, config: DedupConfig) -> dict[str, DataFrame]:
    # Most documents are alone: the few that are not reach the texts' tasks without moving the texts.
    clustered = assigned.where(~stays() | (F.col("cluster_size") > 1)).select(
        "doc_id", F.col("cluster_size").alias("size"), (~stays()).alias("goes")
    )
    computed = {
        "cluster_size": F.coalesce("size", F.lit(1)).alias("cluster_size"),
        "split": split_of(F.col("doc_id"), config.validation_fraction, config.split_seed).alias("split"),
    }
    corpus = (
        clean.join(clustered, "doc_id", "left")
        .where(~F.coalesce("goes", F.lit(False)))
        .select(*(computed.get(name, name) for name in CORPUS.column_names))
    )
    return {"corpus": corpus, "duplicates": duplicates(clean, assigned, config)}


def _superseded(older: DataFrame, assigned: DataFrame) -> DataFrame:
    kept = assigned.select("cluster", "kept_doc_id").distinct()
    return (
        older.join(kept, "cluster")
        .where("best.doc_id != kept_doc_id")
        .select("best.doc_id", "best.source", "best.batch", "kept_doc_id", "best.num_bytes")
    )


def describe(frame: DataFrame, text: str) -> None:
    """Names the Spark jobs that follow in the UI and in the event log."""
    frame.sparkSession.sparkContext.setJobDescription(text)
