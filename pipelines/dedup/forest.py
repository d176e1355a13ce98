"""Connected components of a graph that fits one task: union-find over ranks of the node names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.jit import kernel

I64 = npt.NDArray[np.int64]


def components(nodes: pa.ChunkedArray, hubs: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Every node that has an edge, and the smallest node of its component.

    Args:
        nodes: One end of each edge, strings.
        hubs: The other end, as many.

    Returns:
        The distinct nodes in ascending order, and the label of each.
    """
    names = pc.unique(pa.chunked_array([*nodes.chunks, *hubs.chunks], type=nodes.type))
    names = names.take(pc.sort_indices(names))
    ends = [np.asarray(pc.index_in(column, value_set=names), dtype=np.int64) for column in (nodes, hubs)]
    parents = np.arange(len(names))
    join(parents, ends[0], ends[1])
    flatten(parents)
    return names, names.take(pa.array(parents))


def label_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """All edges (node, hub) of a graph in, (node, component) out; for `mapInArrow` on one partition."""
    edges = list(batches)
    ends = [pa.chunked_array([batch[name] for batch in edges], type=pa.string()) for name in ("node", "hub")]
    nodes, labels = components(*ends)
    table = pa.table({"node": nodes, "component": labels})
    yield from table.to_batches(max_chunksize=10_000)


@kernel
def _find(parents: I64, node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@kernel
def join(parents: I64, left: I64, right: I64) -> None:
    """Connects the ends of edges in a forest; the smaller root always becomes the parent.

    Args:
        parents: The parent of each node, its own number for a root; changed in place.
        left: One end of each edge.
        right: The other end.
    """
    for edge in range(left.size):
        a = _find(parents, left[edge])
        b = _find(parents, right[edge])
        parents[max(a, b)] = min(a, b)


@kernel
def flatten(parents: I64) -> None:
    """Makes the root of each node, the smallest node of its component, its parent; in place."""
    for node in range(parents.size):
        parents[node] = _find(parents, node)
