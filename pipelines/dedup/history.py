"""A batch against the signatures of earlier ones, without their texts.

What the history keeps of a document are its keys and the label of its cluster. A label is never changed.
When a batch connects older clusters, its documents keep their labels as `links`: `component` and `links`
of a row are one cluster from then on. So the table is only added to, and the connected components of these
pairs (`resolve`) are the clusters as they are now.

An older document that shares a key with others is in a cluster with all of them. One label a key stands for
them, and a bucket of any size costs one edge.

Documents can be withdrawn. A row without a label says that the rows of its document in earlier batches do
not count any more. Where a member of a cluster goes, all others are withdrawn too and compared anew with the
batch that withdraws it: what is left is a history without that cluster, so nothing has to be taken apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from conf.dedup import DedupConfig
from pipelines.dedup.components import connected_components
from pipelines.errors import InputError
from pipelines.stage_output import Say
from schemas.signatures import ERASED_SEQUENCE, SIGNATURES

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


WITHDRAWN = ""
"""Label of a row that withdraws a document."""


@dataclass(frozen=True)
class Batch:
    """One batch and what came before it.

    Attributes:
        name: Name of the batch.
        sequence: Its number.
        digest: Hash of its ids and texts.
        earlier: Rows of `signatures` of all batches before it.
        is_stored: Whether the history holds exactly this batch already.
    """

    name: str
    sequence: int
    digest: str
    earlier: DataFrame
    is_stored: bool


def parameters(config: DedupConfig) -> str:
    """All that the signatures and survivors of a history depend on, as JSON."""
    names = ["url", "method", "keep"]
    if config.method == "minhash":
        names += ["unit", "ngram", "bands", "rows", "seed"]
    return json.dumps({name: getattr(config, name) for name in names})


def digest(documents: DataFrame) -> str:
    """Hash of the set of (doc_id, content), whatever their order.

    Args:
        documents: Columns doc_id and content.
    """
    parts = [F.xxhash64("doc_id", "content"), F.xxhash64("content", "doc_id")]
    row = documents.agg(F.count("*"), *(F.sum(part.cast("decimal(20,0)")) for part in parts)).first()
    assert row is not None
    return ":".join(str(value or 0) for value in row)


def in_force(rows: DataFrame) -> DataFrame:
    """The rows of a history that count: all but those that a later batch withdraws.

    Args:
        rows: Table `signatures`, or the batches of it up to one.
    """
    withdrawn = rows.where(F.col("component") == WITHDRAWN)
    last = withdrawn.groupBy("doc_id").agg(F.max("sequence").alias("until"))
    return (
        rows.where(F.col("component") != WITHDRAWN)
        .join(last, "doc_id", "left")
        .where("until is null or sequence >= until")
        .select(*SIGNATURES.column_names)
    )


def before(history: DataFrame, name: str) -> DataFrame:
    """The rows that count for a batch: those of the batches before it, or of all if it is not there yet.

    Args:
        history: Table `signatures`.
        name: Name of the batch.
    """
    own = history.where(F.col("batch") == name).select("sequence").first()
    return in_force(history if own is None else history.where(F.col("sequence") < int(own[0])))


def withdrawals(rows: DataFrame, sources: DataFrame, max_rounds: int, say: Say) -> DataFrame:
    """What a batch that takes files away withdraws: doc_id, source, is_reopened.

    Those are the documents of the files, and all that are in a cluster with one of them (is_reopened), since
    what connected them may be gone.

    Args:
        rows: What `before` returned.
        sources: Column source: the files.
        max_rounds: Limit of rounds of connected components.
        say: Prints progress.
    """
    resolved = resolve(rows, max_rounds, say)
    labels = resolved.select(F.col("node").alias("component"), F.col("component").alias("present"))
    labelled = rows.join(labels, "component", "left").select(
        "doc_id", "source", F.coalesce("present", "component").alias("label")
    )
    gone = labelled.join(F.broadcast(sources), "source", "left_semi")
    met = gone.select("label").distinct()
    marked = sources.select("source", F.lit(False).alias("stays"))
    return (
        labelled.join(met, "label", "left_semi")
        .join(F.broadcast(marked), "source", "left")
        .select("doc_id", "source", F.coalesce("stays", F.lit(True)).alias("is_reopened"))
    )


def place(
    history: DataFrame,
    documents: DataFrame,
    name: str,
    config: DedupConfig,
    withdrawn: DataFrame | None = None,
) -> Batch:
    """Where a batch stands in a history.

    A batch of this name that the history holds is replaced if no other came after it. If others did, it
    must be the same as it was: their survivors depend on it.

    Args:
        history: Table `signatures`.
        documents: Columns doc_id and content of the batch.
        name: Its name.
        config: The section `dedup`.
        withdrawn: Documents (doc_id) that it takes out of the history.

    Raises:
        InputError: The history was made with other parameters, or the batch cannot be replaced.
    """
    wanted = parameters(config)
    other = history.where(F.col("parameters") != wanted).select("parameters").first()
    if other is not None:
        raise InputError(
            f"the history {config.history} was made with {other[0]}, and this run has {wanted}: their "
            "signatures cannot be compared; use the same values of dedup, or another history"
        )
    is_erased = F.col("sequence") == ERASED_SEQUENCE
    # A batch stays the same batch when documents of it are forgotten.
    gone = history.where(is_erased & (F.col("batch") == name)).select("doc_id", "content")
    if not gone.isEmpty():
        documents = documents.select("doc_id", "content")
        documents = documents.union(gone.join(documents, "doc_id", "left_anti"))
    own = digest(documents)
    if withdrawn is not None:
        own += "-" + digest(withdrawn.select("doc_id", F.unhex(F.lit("")).alias("content")))
    history_of_batches = history.where(~is_erased)
    stored = history_of_batches.where(F.col("batch") == name).select("sequence", "digest").first()
    last = history_of_batches.agg(F.max("sequence")).first()
    newest = -1 if last is None or last[0] is None else int(last[0])
    if stored is None:
        return Batch(name, newest + 1, own, _earlier(history, newest + 1, withdrawn), False)
    sequence, is_stored = int(stored["sequence"]), stored["digest"] == own
    if not is_stored and sequence < newest:
        raise InputError(
            f"batch {name!r} is number {sequence} of the history {config.history}, its documents have "
            f"changed, and batches up to number {newest} were compared with it; give it another name with "
            "--batch, or make the history again from this batch on"
        )
    return Batch(name, sequence, own, _earlier(history, sequence, withdrawn), is_stored)


def _earlier(history: DataFrame, sequence: int, withdrawn: DataFrame | None) -> DataFrame:
    """The rows of batches before a number that count, without those that the batch itself withdraws."""
    rows = in_force(history.where(F.col("sequence") < sequence))
    return rows if withdrawn is None else rows.join(withdrawn.select("doc_id"), "doc_id", "left_anti")


def withdrawing(withdrawn: DataFrame, batch: Batch, config: DedupConfig) -> DataFrame:
    """The rows of `signatures` that withdraw documents.

    Args:
        withdrawn: Columns doc_id and source.
        batch: The batch that withdraws them.
        config: The section `dedup`.
    """
    none = F.array()
    values = {
        "sequence": F.lit(batch.sequence).cast("long"),
        "batch": F.lit(batch.name),
        "digest": F.lit(batch.digest),
        "parameters": F.lit(parameters(config)),
        "num_bytes": F.lit(0).cast("long"),
        "content": F.unhex(F.lit("")),
        "address": F.lit(None).cast("string"),
        "keys": none.cast("array<long>"),
        "component": F.lit(WITHDRAWN),
        "links": none.cast("array<string>"),
        "kept_doc_id": F.col("doc_id"),
    }
    return withdrawn.select(*(values.get(name, F.col(name)).alias(name) for name in SIGNATURES.column_names))


def resolve(earlier: DataFrame, max_rounds: int, say: Say) -> DataFrame:
    """(node, component): the present label of every label that was connected to another one later."""
    pairs = (
        earlier.select("component", F.explode("links").alias("link")).where("component != link").distinct()
    )
    edges = pairs.select(
        F.greatest("component", "link").alias("node"), F.least("component", "link").alias("hub")
    )
    return connected_components(edges, max_rounds, say).labels


def found(documents: DataFrame, earlier: DataFrame, resolved: DataFrame) -> DataFrame:
    """(node, label, same_text): the older clusters that documents of the batch are in.

    Args:
        documents: Columns doc_id, representative, is_known, content, address, keys.
        earlier: Rows of `signatures` of earlier batches.
        resolved: What `resolve` returned.
    """
    firsts = documents.where("doc_id = representative and not is_known")
    text_key = F.concat(F.lit("text "), F.hex("content"))
    address_key = F.concat(F.lit("address "), F.col("address"))
    id_key = F.concat(F.lit("id "), F.col("doc_id"))
    names = (
        documents.where("is_known")
        .select(id_key.alias("key"), F.col("doc_id").alias("node"))
        .union(firsts.select(text_key.alias("key"), F.col("doc_id").alias("node")))
        .union(
            documents.where("address is not null and not is_known")
            .select(address_key.alias("key"), F.col("representative").alias("node"))
            .distinct()
        )
    )
    stored_names = earlier.select(F.explode(F.array(id_key, text_key, address_key)).alias("key"), "component")
    by_name = _by_key(names, stored_names.where("key is not null")).withColumn(
        "same_text", F.col("key").startswith("text ")
    )
    by_keys = _by_key(
        firsts.select(F.explode("keys").alias("key"), F.col("doc_id").alias("node")),
        earlier.select(F.explode("keys").alias("key"), "component"),
    ).withColumn("same_text", F.lit(False))
    labels = resolved.select(F.col("node").alias("label"), F.col("component").alias("present"))
    return (
        by_name.drop("key")
        .union(by_keys.drop("key"))
        .join(labels, "label", "left")
        .groupBy("node", F.coalesce("present", "label").alias("label"))
        .agg(F.max("same_text").alias("same_text"))
    )


def _by_key(nodes: DataFrame, stored: DataFrame) -> DataFrame:
    """(key, node, label) of the nodes whose key is stored; one label a key."""
    asked = nodes.select("key").distinct()
    labels = stored.join(asked, "key", "left_semi").groupBy("key").agg(F.min("component").alias("label"))
    return nodes.join(labels, "key").select("key", "node", "label")


def clusters(earlier: DataFrame, resolved: DataFrame, links: DataFrame, order: Column) -> DataFrame:
    """(label, best, size) of the older clusters that the batch meets.

    Args:
        earlier: Rows of `signatures` of earlier batches.
        resolved: What `resolve` returned.
        links: What `found` returned.
        order: See `survivors.order`.
    """
    labels = links.select("label").distinct()
    present = resolved.select("node", F.col("component").alias("label")).join(labels, "label", "left_semi")
    names = (
        labels.select(F.col("label").alias("node"), "label").union(present.select("node", "label")).distinct()
    )
    return (
        earlier.join(names, earlier["component"] == names["node"])
        .groupBy("label")
        .agg(F.min(order).alias("best"), F.count("*").alias("size"))
    )


def signatures(
    documents: DataFrame, assigned: DataFrame, links: DataFrame, batch: Batch, config: DedupConfig
) -> DataFrame:
    """The batch's rows of `signatures`; documents that an earlier batch has are there already.

    Args:
        documents: As for `found`, and source, num_bytes.
        assigned: See `survivors.assign`.
        links: What `found` returned.
        batch: The batch.
        config: The section `dedup`.
    """
    own = links.groupBy("node").agg(
        F.sort_array(F.collect_set("label")).alias("found"), F.max("same_text").alias("same_text")
    )
    first = F.col("doc_id") == F.col("representative")
    none = F.array().cast("array<string>")
    return (
        documents.where("not is_known")
        .join(assigned.select("doc_id", "cluster", "kept_doc_id"), "doc_id")
        .join(own, documents["representative"] == own["node"], "left")
        .select(
            F.lit(batch.sequence).cast("long").alias("sequence"),
            F.lit(batch.name).alias("batch"),
            F.lit(batch.digest).alias("digest"),
            F.lit(parameters(config)).alias("parameters"),
            "doc_id",
            "source",
            "num_bytes",
            "content",
            "address",
            F.when(first & ~F.coalesce("same_text", F.lit(False)), F.col("keys"))
            .otherwise(F.array().cast("array<long>"))
            .alias("keys"),
            F.col("cluster").alias("component"),
            F.when(first, F.array_remove(F.coalesce("found", none), F.col("cluster")))
            .otherwise(none)
            .alias("links"),
            "kept_doc_id",
        )
    )
