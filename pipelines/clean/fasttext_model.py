"""A quantized fastText classifier (.ftz): its file, and prediction for many texts straight from UTF-8.

Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification" (arXiv 1607.01759), and 2016,
"FastText.zip: Compressing text classification models" (arXiv 1612.03651). A text's vector is the mean of the
vectors of its words and their character n-grams; a Huffman tree over the labels makes probabilities of it.

Words repeat, so the sum of a word's vectors is kept in a small table. Sums are by word and then by text,
whether a word was in the table or not, so that results do not depend on what was read before; they differ
from fastText's own, which adds n-gram by n-gram, in the seventh digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.clean.characters import Bytes, Index
from pipelines.jit import kernel

_MAGIC, _VERSION = 793712314, 12
_HIERARCHICAL_SOFTMAX = 1
# In the file's order, 32-bit integers all.
_ARGUMENTS = (
    *("dim", "ws", "epoch", "min_count", "neg", "word_ngrams", "loss", "model", "bucket", "minn", "maxn"),
    "lr_update_rate",
)
_CENTROIDS = 256
_END_OF_LINE = b"</s>"
_LABEL_PREFIX = "__label__"

_F32 = npt.NDArray[np.float32]
_I32 = npt.NDArray[np.int32]
_U64 = npt.NDArray[np.uint64]

# Words of at most 24 bytes are kept; the table takes 1.5 MB.
_KEPT_WORDS = 2**14
_PARTS = 3

_FNV_OFFSET, _FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_LEFT, _RIGHT = 0, 1
_LEAST = np.float32(1e-5)  # fastText adds it to each probability before the logarithm


@dataclass(frozen=True)
class Model:
    """A classifier.

    Attributes:
        labels: Its labels without their prefix, the most frequent first.
        rows: Vectors of words, then of n-grams, float32 of shape (rows, dimension).
        word_bytes: UTF-8 of the words, one behind the other.
        word_bounds: Where each word begins and the last one ends, int64 of shape (words + 1,).
        word_slots: Hash table of the words, int32, -1 where empty.
        ngram_rows: Row of each n-gram's bucket, int32 of shape (buckets,), -1 where it was pruned.
        min_ngram: Fewest characters of an n-gram.
        max_ngram: Most.
        end_row: Row of the end of a line.
        tree: Children of the inner nodes of the label tree, int32 of shape (labels - 1, 2); a number below
            that of the labels is a label.
        nodes: Vectors of the inner nodes, float32 of shape (labels - 1, dimension).
        kept_keys: Bytes of the words that are kept, uint64.
        kept_sums: Sums of their vectors, float32.
        kept_counts: How many vectors that are, int64.
    """

    labels: tuple[str, ...]
    rows: _F32
    word_bytes: Bytes
    word_bounds: Index
    word_slots: _I32
    ngram_rows: _I32
    min_ngram: int
    max_ngram: int
    end_row: int
    tree: _I32
    nodes: _F32
    kept_keys: _U64
    kept_sums: _F32
    kept_counts: Index

    def predict(self, data: Bytes, offsets: Index, num_labels: int) -> tuple[Index, _F32]:
        """The likeliest labels of some texts; any white space parts words.

        Args:
            data: UTF-8 of the texts.
            offsets: Where each text begins and the last one ends, int64 of shape (texts + 1,).
            num_labels: How many labels are wanted.

        Returns:
            Numbers of the labels, the likeliest first, int64 of shape (texts, num_labels), -1 where there are
            no more of a probability above 1e-5; and their probabilities.
        """
        return _predict(
            data,
            offsets,
            self.rows,
            self.word_bytes,
            self.word_bounds,
            self.word_slots,
            self.ngram_rows,
            self.min_ngram,
            self.max_ngram,
            self.end_row,
            self.tree,
            self.nodes,
            self.kept_keys,
            self.kept_sums,
            self.kept_counts,
            num_labels,
        )


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._file = BytesIO(content)

    def array(self, kind: str, count: int) -> npt.NDArray[np.generic]:
        dtype = np.dtype(kind)
        data = self._file.read(dtype.itemsize * count)
        if len(data) != dtype.itemsize * count:
            raise ValueError(f"the model ends early: {count} values of {kind} wanted, {len(data)} bytes left")
        return np.frombuffer(data, dtype)

    def number(self, kind: str) -> int:
        return int(self.array(kind, 1)[0])

    def word(self) -> bytes:
        letters = bytearray()
        while (letter := self._file.read(1)) not in {b"\x00", b""}:
            letters += letter
        return bytes(letters)


def load_model(path: Path) -> Model:
    """Reads a model with quantized input, plain output and hierarchical softmax; ValueError for any other."""
    reader = _Reader(path.read_bytes())
    if (reader.number("<i4"), reader.number("<i4")) != (_MAGIC, _VERSION):
        raise ValueError(f"{path} is no fastText model of version {_VERSION}")
    args = {name: reader.number("<i4") for name in _ARGUMENTS}
    reader.number("<f8")
    if args["loss"] != _HIERARCHICAL_SOFTMAX or args["word_ngrams"] > 1:
        raise ValueError(f"{path}: only hierarchical softmax without word n-grams is known, not {args}")
    num_entries, num_words, num_labels = (reader.number("<i4") for _ in range(3))
    reader.number("<i8")
    num_pruned = reader.number("<i8")
    entries = []
    for _ in range(num_entries):
        word = reader.word()
        entries.append((word, reader.number("<i8")))
        reader.number("<i1")
    words = [word for word, _ in entries[:num_words]]
    pruned = reader.array("<i4", 2 * num_pruned).reshape(-1, 2)
    ngram_rows = np.full(args["bucket"], -1, np.int32)
    ngram_rows[pruned[:, 0]] = pruned[:, 1] + num_words
    if not reader.number("<u1"):
        raise ValueError(f"{path}: the model is not quantized")
    rows = _quantized(reader)
    if reader.number("<u1"):
        raise ValueError(f"{path}: the model's output is quantized")
    height, width = reader.number("<i8"), reader.number("<i8")
    nodes = reader.array("<f4", height * width).reshape(height, width).astype(np.float32)
    return Model(
        labels=tuple(word.decode().removeprefix(_LABEL_PREFIX) for word, _ in entries[num_words:]),
        rows=rows,
        word_bytes=np.frombuffer(b"".join(words), np.uint8),
        word_bounds=np.cumsum([0, *map(len, words)], dtype=np.int64),
        word_slots=_word_slots(words),
        ngram_rows=ngram_rows,
        min_ngram=args["minn"],
        max_ngram=args["maxn"],
        end_row=words.index(_END_OF_LINE),
        tree=_label_tree([count for _, count in entries[num_words:]]),
        nodes=nodes[: num_labels - 1],
        kept_keys=np.zeros((_KEPT_WORDS, _PARTS), np.uint64),
        kept_sums=np.zeros((_KEPT_WORDS, rows.shape[1]), np.float32),
        kept_counts=np.zeros(_KEPT_WORDS, np.int64),
    )


def _quantized(reader: _Reader) -> _F32:
    """The rows of a matrix in product quantization."""
    has_norms = reader.number("<u1")
    height, width = reader.number("<i8"), reader.number("<i8")
    codes = reader.array("u1", reader.number("<i4")).reshape(height, -1)
    centroids = _centroids(reader)
    columns = [centroids[part][codes[:, part]] for part in range(codes.shape[1])]
    rows = np.concatenate(columns, axis=1)[:, :width]
    if has_norms:
        norms = reader.array("u1", height)
        rows = rows * _centroids(reader)[0][norms]
    return np.ascontiguousarray(rows, np.float32)


def _centroids(reader: _Reader) -> list[_F32]:
    """The centroids of each part of a vector, float32 of shape (256, width of the part)."""
    dimension, num_parts, width, last = (reader.number("<i4") for _ in range(4))
    values = reader.array("<f4", dimension * _CENTROIDS).astype(np.float32)
    step = _CENTROIDS * width
    return [
        values[part * step :][: _CENTROIDS * (last if part == num_parts - 1 else width)].reshape(
            _CENTROIDS, -1
        )
        for part in range(num_parts)
    ]


def _label_tree(counts: list[int]) -> _I32:
    """Huffman's tree as fastText builds it from the labels' counts, which fall."""
    num_labels = len(counts)
    total = [*counts, *[10**15] * (num_labels - 1)]
    tree = np.zeros((num_labels - 1, 2), np.int32)
    leaf, node = num_labels - 1, num_labels
    for inner in range(num_labels, 2 * num_labels - 1):
        for side in (_LEFT, _RIGHT):
            if leaf >= 0 and total[leaf] < total[node]:
                chosen, leaf = leaf, leaf - 1
            else:
                chosen, node = node, node + 1
            tree[inner - num_labels, side] = chosen
        total[inner] = total[tree[inner - num_labels, _LEFT]] + total[tree[inner - num_labels, _RIGHT]]
    return tree


def _word_slots(words: list[bytes]) -> _I32:
    slots = np.full(1 << (2 * len(words)).bit_length(), -1, np.int32)
    for number, word in enumerate(words):
        slot = _hash_bytes(np.frombuffer(word, np.uint8), 0, len(word)) & (slots.size - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (slots.size - 1)
        slots[slot] = number
    return slots


@kernel
def _hash_byte(state: np.uint32, byte: np.uint8) -> np.uint32:
    """FNV-1a as fastText has it: a byte from 0x80 on is taken as a negative number."""
    wide = np.uint32(byte)
    if byte >= 0x80:
        wide |= np.uint32(0xFFFFFF00)
    return np.uint32((state ^ wide) * _FNV_PRIME)


@kernel
def _hash_bytes(data: Bytes, start: int, end: int) -> int:
    state = _FNV_OFFSET
    for index in range(start, end):
        state = _hash_byte(state, data[index])
    return np.int64(state)  # type: ignore[return-value]


@kernel
def _find_word(data: Bytes, start: int, end: int, word_bytes: Bytes, bounds: Index, slots: _I32) -> int:
    slot = _hash_bytes(data, start, end) & (slots.size - 1)
    while slots[slot] >= 0:
        number = slots[slot]
        first = bounds[number]
        if bounds[number + 1] - first == end - start:
            index = 0
            while index < end - start and word_bytes[first + index] == data[start + index]:
                index += 1
            if index == end - start:
                return number
        slot = (slot + 1) & (slots.size - 1)
    return -1


@kernel
def _add_ngrams(
    data: Bytes,
    start: int,
    end: int,
    rows: _F32,
    ngram_rows: _I32,
    min_ngram: int,
    max_ngram: int,
    padded: Bytes,
    total: _F32,
) -> int:
    """Adds the vectors of the n-grams of the word in angle brackets; their number."""
    size = end - start + 2
    padded[0] = 0x3C
    padded[1 : size - 1] = data[start:end]
    padded[size - 1] = 0x3E
    count = 0
    for first in range(size):
        if padded[first] & 0xC0 == 0x80:
            continue
        state = _FNV_OFFSET
        index = first
        for length in range(1, max_ngram + 1):
            if index >= size:
                break
            state = _hash_byte(state, padded[index])
            index += 1
            while index < size and padded[index] & 0xC0 == 0x80:
                state = _hash_byte(state, padded[index])
                index += 1
            if length < min_ngram or (length == 1 and (first == 0 or index == size)):
                continue
            row = ngram_rows[np.int64(state) % ngram_rows.size]
            if row >= 0:
                count += 1
                for place in range(total.size):
                    total[place] += rows[row, place]
    return count


@kernel
def _starts_with_label(data: Bytes, start: int, end: int) -> bool:
    """Whether a word begins with the prefix of labels, __label__, which fastText passes over."""
    if end - start < 9 or data[start] != 0x5F or data[start + 1] != 0x5F:
        return False
    # l a b e l _ _
    return (
        data[start + 2] == 0x6C
        and data[start + 3] == 0x61
        and data[start + 4] == 0x62
        and data[start + 5] == 0x65
        and data[start + 6] == 0x6C
        and data[start + 7] == 0x5F
        and data[start + 8] == 0x5F
    )


@kernel
def _score(vector: _F32, tree: _I32, nodes: _F32, labels: Index, scores: _F32) -> None:
    """The likeliest labels by depth-first search; `labels` and `scores` are filled in falling order."""
    num_labels = tree.shape[0] + 1
    limit = np.float32(np.log(np.float64(_LEAST)))
    stack = np.empty(2 * num_labels, np.int64)
    reached = np.empty(2 * num_labels, np.float32)
    wanted = labels.size
    found = 0
    size = 1
    stack[0] = 2 * num_labels - 2
    reached[0] = np.float32(0)
    while size > 0:
        size -= 1
        node, score = stack[size], reached[size]
        if score < limit or (found == wanted and score < scores[wanted - 1]):
            continue
        if node < num_labels:
            place = min(found, wanted - 1)
            found = min(found + 1, wanted)
            while place > 0 and scores[place - 1] < score:
                scores[place] = scores[place - 1]
                labels[place] = labels[place - 1]
                place -= 1
            scores[place] = score
            labels[place] = node
            continue
        inner = node - num_labels
        product = np.float32(0)
        for index in range(vector.size):
            product += nodes[inner, index] * vector[index]
        right = np.float32(1.0 / (1.0 + np.exp(-np.float64(product))))
        stack[size] = tree[inner, _LEFT]
        reached[size] = score + np.float32(np.log(1.0 - np.float64(right) + np.float64(_LEAST)))
        stack[size + 1] = tree[inner, _RIGHT]
        reached[size + 1] = score + np.float32(np.log(np.float64(right) + np.float64(_LEAST)))
        size += 2
    for place in range(found):
        scores[place] = np.exp(scores[place])


@kernel
def _predict(
    data: Bytes,
    offsets: Index,
    rows: _F32,
    word_bytes: Bytes,
    word_bounds: Index,
    word_slots: _I32,
    ngram_rows: _I32,
    min_ngram: int,
    max_ngram: int,
    end_row: int,
    tree: _I32,
    nodes: _F32,
    kept_keys: _U64,
    kept_sums: _F32,
    kept_counts: Index,
    num_labels: int,
) -> tuple[Index, _F32]:
    num_texts = offsets.size - 1
    dimension = rows.shape[1]
    labels = np.full((num_texts, num_labels), -1, np.int64)
    scores = np.zeros((num_texts, num_labels), np.float32)
    longest = 0
    for text in range(num_texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    padded = np.empty(longest + 2, np.uint8)
    total = np.empty(dimension, np.float64)
    vector = np.empty(dimension, np.float32)
    word_sum = np.empty(dimension, np.float32)
    parts = np.zeros(_PARTS, np.uint64)
    for text in range(num_texts):
        end = offsets[text + 1]
        position = offsets[text]
        total[:] = rows[end_row]
        count = 1
        while position < end:
            start = position
            parts[:] = 0
            while position < end:
                byte = data[position]
                # White space of fastText: space, tab, line breaks, NUL.
                if byte == 0x20 or 0x09 <= byte <= 0x0D or byte == 0:
                    break
                if position - start < 8 * _PARTS:
                    parts[(position - start) >> 3] |= np.uint64(byte) << np.uint64(
                        8 * ((position - start) & 7)
                    )
                position += 1
            stop = position
            position += 1
            if stop == start:
                continue
            if stop - start == 4 and parts[0] == 0x3E732F3C:  # </s> ends a line
                break
            if _starts_with_label(data, start, stop):
                continue
            # No byte of a word is 0, so that its parts also say how long it is.
            kept = stop - start <= 8 * _PARTS
            state = ((parts[0] * _SPREAD ^ parts[1]) * _SPREAD ^ parts[2]) * _SPREAD
            slot = np.int64(state >> np.uint64(40)) & (kept_counts.size - 1)
            same = kept
            for part in range(_PARTS):
                same &= kept_keys[slot, part] == parts[part]
            if not same:
                word_sum[:] = 0
                added = 0
                number = _find_word(data, start, stop, word_bytes, word_bounds, word_slots)
                if number >= 0:
                    word_sum += rows[number]
                    added += 1
                added += _add_ngrams(
                    data, start, stop, rows, ngram_rows, min_ngram, max_ngram, padded, word_sum
                )
                if kept:
                    kept_keys[slot] = parts
                    kept_sums[slot] = word_sum
                    kept_counts[slot] = added
                total += word_sum
                count += added
            else:
                for place in range(dimension):
                    total[place] += kept_sums[slot, place]
                count += kept_counts[slot]
        for place in range(dimension):
            vector[place] = total[place] / count
        _score(vector, tree, nodes, labels[text], scores[text])
    return labels, scores
