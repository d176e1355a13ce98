"""A quantized fastText classifier (.ftz): its file, and prediction for many texts straight from UTF-8.

Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification" (arXiv 1607.01759), and 2016,
"FastText.zip: Compressing text classification models" (arXiv 1612.03651). A text's vector is the mean of the
vectors of its words and their character n-grams; a Huffman tree over the labels makes probabilities of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.clean.fasttext_predict import F32, I32, LEFT, RIGHT, U64, empty_table, hash_bytes, predict
from pipelines.text.code_points import Bytes, Index

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
        ngram_bits: Whether a bucket has a row, a bit each, uint64; small enough for a core's cache, where
            `ngram_rows` is not, and most buckets have none.
        min_ngram: Fewest characters of an n-gram.
        max_ngram: Most.
        end_row: Row of the end of a line.
        tree: Children of the inner nodes of the label tree, int32 of shape (labels - 1, 2); a number below
            that of the labels is a label.
        nodes: Vectors of the inner nodes, float32 of shape (labels - 1, dimension).
        kept: Words met before with the sums of their vectors, see `empty_table`.
    """

    labels: tuple[str, ...]
    rows: F32
    word_bytes: Bytes
    word_bounds: Index
    word_slots: I32
    ngram_rows: I32
    ngram_bits: U64
    min_ngram: int
    max_ngram: int
    end_row: int
    tree: I32
    nodes: F32
    kept: U64

    def predict(self, data: Bytes, offsets: Index, num_labels: int) -> tuple[Index, F32]:
        """The likeliest labels of some texts; any white space parts words.

        Args:
            data: UTF-8 of the texts.
            offsets: Where each text begins and the last one ends, int64 of shape (texts + 1,).
            num_labels: How many labels are wanted.

        Returns:
            Numbers of the labels, the likeliest first, int64 of shape (texts, num_labels), -1 where there are
            no more of a probability above 1e-5; and their probabilities.
        """
        begin, end = offsets[0], offsets[-1]
        # Words are cut eight bytes at a time, beyond the end of the last text too.
        wide = np.zeros((end - begin) // 8 + 5, np.uint64)
        padded = wide.view(np.uint8)
        padded[: end - begin] = data[begin:end]
        return predict(
            padded,
            wide,
            offsets - begin,
            self.rows,
            self.word_bytes,
            self.word_bounds,
            self.word_slots,
            self.ngram_rows,
            self.ngram_bits,
            self.min_ngram,
            self.max_ngram,
            self.end_row,
            self.tree,
            self.nodes,
            self.kept,
            self.kept.view(np.float32),
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
        ngram_bits=_bits(ngram_rows >= 0),
        min_ngram=args["minn"],
        max_ngram=args["maxn"],
        end_row=words.index(_END_OF_LINE),
        tree=_label_tree([count for _, count in entries[num_words:]]),
        nodes=nodes[: num_labels - 1],
        kept=empty_table(rows.shape[1]),
    )


def _bits(flags: npt.NDArray[np.bool_]) -> U64:
    """The flags as bits, the lowest of the first number first."""
    padded = np.zeros(-(-flags.size // 64) * 64, np.bool_)
    padded[: flags.size] = flags
    return np.packbits(padded, bitorder="little").view("<u8").astype(np.uint64)


def _quantized(reader: _Reader) -> F32:
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


def _centroids(reader: _Reader) -> list[F32]:
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


def _label_tree(counts: list[int]) -> I32:
    """Huffman's tree as fastText builds it from the labels' counts, which fall."""
    num_labels = len(counts)
    total = [*counts, *[10**15] * (num_labels - 1)]
    tree = np.zeros((num_labels - 1, 2), np.int32)
    leaf, node = num_labels - 1, num_labels
    for inner in range(num_labels, 2 * num_labels - 1):
        for side in (LEFT, RIGHT):
            if leaf >= 0 and total[leaf] < total[node]:
                chosen, leaf = leaf, leaf - 1
            else:
                chosen, node = node, node + 1
            tree[inner - num_labels, side] = chosen
        total[inner] = total[tree[inner - num_labels, LEFT]] + total[tree[inner - num_labels, RIGHT]]
    return tree


def _word_slots(words: list[bytes]) -> I32:
    slots = np.full(1 << (2 * len(words)).bit_length(), -1, np.int32)
    for number, word in enumerate(words):
        slot = hash_bytes(np.frombuffer(word, np.uint8), 0, len(word)) & (slots.size - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (slots.size - 1)
        slots[slot] = number
    return slots
