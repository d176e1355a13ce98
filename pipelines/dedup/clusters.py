"""Clusters and survivors of documents that fit one task, from their hashes alone.

What `exact`, `buckets`, `components` and `survivors` do with joins, for a table of any size, is done here in
one go over arrays, which saves a dozen small jobs. Both ways give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from pipelines.dedup import forest
from pipelines.dedup.survivors import EXACT, URL, connecting
from pipelines.worker import Kernel, in_warm_worker

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    # What a worker imports it waits for: 0.2 s for the configuration.
    from conf.dedup import DedupConfig

I64 = npt.NDArray[np.int64]

LOCAL_BYTES = 96 * 2**20
"""Ids, hashes, keys, sources and addresses that one task takes: those of about 500,000 documents with 14
bands. With its arrays the task takes 3.3 times as much memory, a third of a gigabyte."""

CLUSTERED = (
    "doc_id string not null, kept_doc_id string not null, cluster_size long not null, "
    "is_equal boolean not null, method string not null, num_edges long not null"
)


def num_bytes_of(config: DedupConfig) -> Column:
    """Bytes that a document of `stage.sign` takes here.

    Args:
        config: The section `dedup`.
    """
    sizes = [F.octet_length(F.coalesce(F.col(name), F.lit(""))) for name in _columns(config)[:-2]]
    return sum(sizes, F.lit(8) + 8 * F.size("keys"))


def clustered(documents: DataFrame, config: DedupConfig) -> DataFrame:
    """All documents that are not alone, in one partition.

    Args:
        documents: What `stage.sign` returned.
        config: The section `dedup`.

    Returns:
        Columns doc_id, kept_doc_id, cluster_size, is_equal and method as `survivors.assign` has them, and
        num_edges: edges that lead from the document to smaller ones.
    """
    one = documents.select(*_columns(config)).coalesce(1)
    return one.mapInArrow(_cluster_batches(config.keep, connecting(config)), CLUSTERED)


def _columns(config: DedupConfig) -> list[str]:
    names = ["doc_id", "content"]
    names += ["address"] if config.url else []
    names += ["source"] if config.keep == "first" else []
    return [*names, "num_bytes", "keys"]


def _cluster_batches(keep: str, connected: str) -> Kernel:
    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = list(batches)
        if rows:
            yield from clusters(pa.Table.from_batches(rows), keep, connected).to_batches(10_000)

    return in_warm_worker(convert)


def clusters(rows: pa.Table, keep: str, connected: str) -> pa.Table:
    """The rows of `clustered`, cluster by cluster.

    Args:
        rows: Columns doc_id, content, num_bytes, keys (a list of one length, or empty); address if addresses
            connect documents; source if `keep` is 'first'.
        keep: See `dedup.keep`.
        connected: Method of two documents whose texts and addresses differ.
    """
    # A document's number is the rank of its id: the smallest number of a cluster has the smallest id.
    places = pc.sort_indices(rows["doc_id"]).to_numpy()
    contents = _codes(rows["content"])[places]
    firsts = _smallest(contents)[contents]
    parents = np.arange(rows.num_rows)
    num_edges = _join_buckets(parents, rows["keys"], places, firsts)
    addresses = _codes(rows["address"])[places] if "address" in rows.column_names else None
    if addresses is not None:
        num_edges += _join_addresses(parents, addresses, firsts)
    forest.flatten(parents)
    cluster = parents[firsts]
    sizes = np.bincount(cluster, minlength=cluster.size)[cluster]
    members = np.flatnonzero(sizes > 1)
    if keep == "longest":
        rank = -rows["num_bytes"].to_numpy()[places[members]]
    else:
        sources = rows["source"].combine_chunks()
        rank = pc.rank(sources, tiebreaker="dense").to_numpy()[places[members]]
    members = members[np.lexsort((members, rank, cluster[members]))]
    is_best = np.diff(cluster[members], prepend=-1) != 0
    best = members[is_best][np.cumsum(is_best) - 1]
    is_equal = contents[members] == contents[best]
    method = np.where(is_equal, EXACT, connected).astype(object)
    if addresses is not None:
        method[(addresses[members] == addresses[best]) & (addresses[members] >= 0)] = URL
    return pa.table(
        {
            "doc_id": rows["doc_id"].take(pa.array(places[members])),
            "kept_doc_id": rows["doc_id"].take(pa.array(places[best])),
            "cluster_size": sizes[members],
            "is_equal": is_equal,
            "method": pa.array(method, pa.string()),
            "num_edges": num_edges[members],
        }
    )


def _codes(values: pa.ChunkedArray) -> I64:
    """A number for each value, equal for equal values; -1 for null."""
    codes = values.combine_chunks().dictionary_encode().indices
    return np.asarray(codes.fill_null(-1), dtype=np.int64)


def _smallest(groups: I64) -> I64:
    """The smallest position of each group 0, 1, 2, ..., of which each occurs."""
    smallest = np.empty(groups.max(initial=-1) + 1, dtype=np.int64)
    # Of values that are written to one place the last one stays.
    smallest[groups[::-1]] = np.arange(groups.size)[::-1]
    return smallest


def _join_buckets(parents: I64, keys: pa.ChunkedArray, places: I64, firsts: I64) -> I64:
    """Connects each document with the smallest one of each of its buckets, as `buckets.star_edges`.

    Args:
        parents: See `forest.join`.
        keys: The keys of the document at each place of the table.
        places: Place of each document.
        firsts: The smallest document of equal content, for each document; only such are in buckets.

    Returns:
        How many different smaller documents each is connected with, int64 of shape (documents,).
    """
    lists = keys.combine_chunks()
    lengths = np.asarray(pc.list_value_length(lists), dtype=np.int64)
    ends = np.cumsum(lengths)
    values = lists.flatten().to_numpy()
    nodes = np.flatnonzero((lengths[places] > 0) & (firsts == np.arange(firsts.size)))
    num_edges = np.zeros(firsts.size, dtype=np.int64)
    if nodes.size:
        hubs = np.empty((lengths.max(), nodes.size), dtype=np.int32)
        starts = (ends - lengths)[places[nodes]]
        for band in range(len(hubs)):
            found = _hubs(values[starts + band], nodes)
            forest.join(parents, nodes, found)
            hubs[band] = found
        hubs.sort(axis=0)
        # A document that is the smallest of a bucket is its own hub there, and then the last one by order.
        num_edges[nodes] = 1 + np.count_nonzero(np.diff(hubs, axis=0), axis=0) - (hubs[-1] == nodes)
    return num_edges


def _join_addresses(parents: I64, addresses: I64, firsts: I64) -> I64:
    """The same for documents of one address, which their first ones of equal content stand for."""
    has = addresses >= 0
    hubs = _hubs(addresses[has], firsts[has])
    forest.join(parents, firsts[has], hubs)
    nodes, hubs = np.divmod(np.unique(firsts[has] * firsts.size + hubs), max(1, firsts.size))
    return np.bincount(nodes[nodes != hubs], minlength=firsts.size)


def _hubs(keys: I64, nodes: I64) -> I64:
    """The smallest node of equal key, for each node."""
    order = np.argsort(keys)
    is_start = np.ones(keys.size, dtype=bool)
    is_start[1:] = np.diff(keys[order]) != 0
    starts = np.flatnonzero(is_start)
    smallest = np.minimum.reduceat(nodes[order], starts) if keys.size else nodes
    hubs = np.empty_like(nodes)
    hubs[order] = np.repeat(smallest, np.diff(starts, append=keys.size))
    return hubs
