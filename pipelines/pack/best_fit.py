"""Best-fit-decreasing: which chunks of documents share a sequence.

Ding et al., "Fewer Truncations Improve Language Modeling" (ICML 2024, arXiv 2404.10830), section 3: a
document longer than a sequence is cut into chunks of the sequence's length and a rest; chunks go, the
longest first, into the fullest sequence that still has room. So no document is cut that need not be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.jit import kernel

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Placement:
    """Where the chunks of a bucket lie, in the order of their sequences; int64 arrays of the same length.

    Attributes:
        document: Index of the chunk's document.
        doc_start: Token of the document that the chunk begins with.
        length: Tokens in it.
        sequence: Number of its sequence in the bucket.
        at: Token of the sequence that it begins at.
        num_sequences: Sequences of the bucket.
    """

    document: Ints
    doc_start: Ints
    length: Ints
    sequence: Ints
    at: Ints
    num_sequences: int


def place(lengths: Ints, sequence_length: int) -> Placement:
    """Places documents of the given lengths (in tokens, each at least 1); equal input, equal result.

    Chunks of full length are sequences of their own and come first. Among rests of one length the earlier
    document comes first; among sequences of one room the one that got it last is filled.
    """
    full, rest = np.divmod(lengths, sequence_length)
    documents = np.arange(len(lengths))
    of_full = np.repeat(documents, full)
    number = np.arange(len(of_full)) - np.repeat(np.cumsum(full) - full, full)
    order = np.argsort(-rest, kind="stable")
    order = order[: int(np.count_nonzero(rest))]
    bins, at, num_bins = _fill(rest[order], sequence_length)
    by_bin = np.lexsort((at, bins))
    order, bins, at = order[by_bin], bins[by_bin], at[by_bin]
    return Placement(
        document=np.concatenate([of_full, order]),
        doc_start=np.concatenate([number * sequence_length, full[order] * sequence_length]),
        length=np.concatenate([np.full(len(of_full), sequence_length), rest[order]]),
        sequence=np.concatenate([np.arange(len(of_full)), len(of_full) + bins]),
        at=np.concatenate([np.zeros(len(of_full), np.int64), at]),
        num_sequences=len(of_full) + int(num_bins),
    )


@kernel
def _fill(lengths: Ints, size: int) -> tuple[Ints, Ints, int]:
    """Bin and place in it of each length, which do not rise; and the number of bins.

    Bins of one room are a stack. A tree over the rooms, whose nodes say whether there is any bin below,
    finds the least room that suffices in log2(size) steps.
    """
    count = len(lengths)
    bins, at = np.empty(count, np.int64), np.empty(count, np.int64)
    leaves = 1
    while leaves < size + 1:
        leaves *= 2
    tree = np.zeros(2 * leaves, np.uint8)
    top = np.full(size + 1, -1, np.int64)
    below = np.empty(count, np.int64)
    num_bins = 0
    for item in range(count):
        length = lengths[item]
        room = _least_room(tree, leaves, length)
        if room < 0:
            chosen, room = num_bins, size
            num_bins += 1
        else:
            chosen = top[room]
            top[room] = below[chosen]
            if top[room] < 0:
                node = leaves + room
                tree[node] = 0
                while node > 1 and not tree[node ^ 1]:
                    node //= 2
                    tree[node] = 0
        bins[item], at[item] = chosen, size - room
        left = room - length
        if left > 0:
            below[chosen] = top[left]
            top[left] = chosen
            node = leaves + left
            while node >= 1 and not tree[node]:
                tree[node] = 1
                node //= 2
    return bins, at, num_bins


@kernel
def _least_room(tree: npt.NDArray[np.uint8], leaves: int, wanted: int) -> int:
    node = leaves + wanted
    if tree[node]:
        return wanted
    while node > 1:
        if node % 2 == 0 and tree[node + 1]:
            node += 1
            while node < leaves:
                node *= 2
                if not tree[node]:
                    node += 1
            return node - leaves
        node //= 2
    return -1
