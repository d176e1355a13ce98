"""Encoding text with one of two libraries, whose token ids are the same.

`tokenizers` decides what is right. gigatoken gives the same ids about a hundred times faster, but knows fewer
kinds of tokenizers, and a newer Unicode: characters that other versions of Unicode do not know it may split
in another way. A text with such a character is encoded by `tokenizers`, so are all texts of a task in which
gigatoken failed; whether the rest is the same is tried out before a run and watched during it
(`pipelines.tokenize.audit`).
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from pipelines.tokenize.folder import parse_tokenizer
from pipelines.tokenize.special import Guard, SpecialTokenError, specials_of
from schemas.token_ids import TokenIds, token_type

SLICE_BYTES = 2**20
"""Text that `tokenizers` encodes in one call: an encoding takes about 100 bytes of memory a token."""

_HIGH_BITS = np.uint64(0x8080808080808080)
"""The bits that no ASCII character sets, in eight bytes."""

Ints = npt.NDArray[np.int64]


class Encoder:
    """Encodes texts in which special tokens are plain characters.

    Args:
        content: Content of a tokenizer.json.
        engine: 'tokenizers' or 'gigatoken'.
        num_bytes: Bytes of a token id in the result.

    Raises:
        Exception: gigatoken does not know such a tokenizer; it raises nothing more specific.
    """

    def __init__(self, content: str, engine: str, num_bytes: int) -> None:
        # Spark already runs one task a core; threads of the library's own would only compete.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._plain = plain_tokenizer(content)
        self._fast = fast_tokenizer(content) if engine == "gigatoken" else None
        self._dtype = token_type(num_bytes)
        self._guard = Guard(special_tokens(content))

    def encode(self, texts: pa.StringArray) -> tuple[TokenIds, Ints]:
        """Token ids of all texts, one after another, and the number of each text's ids.

        Args:
            texts: Strings without null.

        Raises:
            SpecialTokenError: A text would be given a special token.
        """
        if self._fast is not None and len(texts):
            try:
                ids, lengths = self.encode_fast(self._fast, texts)
                self._watch(texts, ids, lengths)
                return ids, lengths
            except BaseException as error:
                if not is_failure(error):
                    raise
                sys.stderr.write(
                    f"ringlake: gigatoken failed ({' '.join(str(error).split())[:300]}); tokenizers encodes "
                    f"the rest of this task\n"
                )
                self._fast = None
        plain, lengths = encode_plain(self._plain, texts)
        ids = plain.astype(self._dtype)
        self._watch(texts, ids, lengths)
        return ids, lengths

    def _watch(self, texts: pa.StringArray, ids: TokenIds, lengths: Ints) -> None:
        found = self._guard.first(ids)
        if found is not None:
            row = int(np.searchsorted(np.cumsum(lengths), found[0], side="right"))
            text = texts[row].as_py()
            raise SpecialTokenError(
                f"it gives the special token {found[1]!r} to a text of the corpus ({text[:60]!r})"
            )

    def encode_fast(self, library: Any, texts: pa.StringArray) -> tuple[TokenIds, Ints]:
        """The same by gigatoken or not at all: whatever the library raises goes through."""
        data, offsets = _buffers(texts)
        layout = library.encode_batch(_awkward(data, offsets), parallel=False).layout
        bounds = np.asarray(layout.offsets.data, np.int64)
        ids = np.asarray(layout.content.data)[bounds[0] : bounds[-1]].astype(self._dtype)
        lengths = np.diff(bounds)
        if len(lengths) != len(texts):
            raise ValueError(f"{len(texts)} texts gave {len(lengths)} results")
        odd = _strange(data, offsets)
        if not len(odd):
            return ids, lengths
        theirs, their_lengths = encode_plain(self._plain, texts.take(pa.array(odd)))
        ends, their_ends = np.cumsum(lengths), np.cumsum(their_lengths)
        parts, last = [], 0
        for number, text in enumerate(odd.tolist()):
            parts.append(ids[last : ends[text] - lengths[text]])
            parts.append(
                theirs[their_ends[number] - their_lengths[number] : their_ends[number]].astype(self._dtype)
            )
            last = int(ends[text])
        parts.append(ids[last:])
        lengths[odd] = their_lengths
        return np.concatenate(parts), lengths


def is_failure(error: BaseException) -> bool:
    """Whether an error is one of the library's that the other library can stand in for.

    A panic in Rust is no Exception, lest programs that catch those go on.
    """
    panicked = type(error).__name__ == "PanicException"
    return panicked or (isinstance(error, Exception) and not isinstance(error, MemoryError))


def encode_plain(tokenizer: Tokenizer, texts: pa.StringArray) -> tuple[npt.NDArray[np.uint32], Ints]:
    """Token ids of all texts by `tokenizers`, and the number of each text's ids.

    Args:
        tokenizer: As `plain_tokenizer` gives it.
        texts: Strings without null.
    """
    ids, lengths = [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
    for part in _slices(texts):
        lists = [
            encoding.ids
            for encoding in tokenizer.encode_batch_fast(part.to_pylist(), add_special_tokens=False)
        ]
        counts = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        lengths.append(counts)
        ids.append(np.fromiter(chain.from_iterable(lists), dtype=np.uint32, count=int(counts.sum())))
    return np.concatenate(ids), np.concatenate(lengths)


@lru_cache(maxsize=1)
def plain_tokenizer(content: str) -> Tokenizer:
    """A tokenizer to which special tokens in a text are plain characters; loaded once a process."""
    tokenizer = parse_tokenizer(content, "the tokenizer")
    tokenizer.encode_special_tokens = True
    return tokenizer


@lru_cache(maxsize=1)
def special_tokens(content: str) -> dict[int, str]:
    """Id to name of the tokens that no text may yield."""
    return specials_of(plain_tokenizer(content))


@lru_cache(maxsize=1)
def fast_tokenizer(content: str) -> Any:
    """The same tokenizer of gigatoken; it finds special tokens in any text, so it is told of none."""
    from gigatoken.gigatoken_rs import load_hf_json

    tree = json.loads(content)
    tree["added_tokens"] = [token for token in tree.get("added_tokens") or [] if not token.get("special")]
    tree["truncation"] = tree["padding"] = None
    return load_hf_json(json.dumps(tree))


def assigned(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """For each code point whether this Python's version of Unicode knows it."""
    table = _categories()
    found = table[codes]
    if not np.all(found):
        for code in np.unique(codes[found == 0]).tolist():
            table[code] = 1 if unicodedata.category(chr(code)) == "Cn" else 2
        found = table[codes]
    return found == 2


@lru_cache(maxsize=1)
def _categories() -> npt.NDArray[np.uint8]:
    """For each code point 2 if it is assigned, 1 if not, 0 if nobody has asked: texts have few of them."""
    return np.zeros(sys.maxunicode + 1, np.uint8)


def _buffers(texts: pa.StringArray) -> tuple[npt.NDArray[np.uint8], Ints]:
    _, offsets_buffer, values = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(values, np.uint8) if values is not None else np.empty(0, np.uint8)
    return data, offsets.astype(np.int64)


def _awkward(data: npt.NDArray[np.uint8], offsets: Ints) -> Any:
    """Strings for gigatoken over Arrow's own memory."""
    import awkward as ak  # type: ignore[import-untyped]

    characters = ak.contents.NumpyArray(data, parameters={"__array__": "char"})
    index = ak.index.Index64(offsets)
    return ak.Array(ak.contents.ListOffsetArray(index, characters, parameters={"__array__": "string"}))


def _slices(texts: pa.Array) -> Iterator[pa.Array]:
    """Consecutive parts of about SLICE_BYTES each; a longer text is a part of its own."""
    if len(texts) == 0:
        return
    ends = np.cumsum(np.asarray(pc.binary_length(texts), dtype=np.int64))
    first = 0
    while first < len(texts):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + SLICE_BYTES, side="right")))
        yield texts.slice(first, last - first)
        first = last


def _strange(data: npt.NDArray[np.uint8], offsets: Ints) -> Ints:
    """Indices of the texts that have a character that is not assigned.

    Args:
        data: UTF-8.
        offsets: Where each text begins, and where the last one ends.
    """
    places, low, last = [np.empty(0, np.int64)], int(offsets[0]), int(offsets[-1])
    while low < last:
        high = min(last, low + SLICE_BYTES)
        while high < last and data[high] & 0xC0 == 0x80:
            high -= 1
        places.append(low + _not_assigned(data[low:high]))
        low = high
    return np.unique(np.searchsorted(offsets, np.concatenate(places), side="right") - 1)


def _not_assigned(data: npt.NDArray[np.uint8]) -> Ints:
    """Bytes of a text in UTF-8 at which a character begins that is not assigned."""
    full = len(data) // 8 * 8
    words = data[:full].view(np.uint64)
    # Words of eight bytes that are not all ASCII. A character of several bytes lies in such words only, so
    # that these words, put together, are UTF-8 again.
    marked = np.flatnonzero((words & _HIGH_BITS) != 0)
    text = (words[marked].tobytes() + data[full:].tobytes()).decode()
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    strange = np.flatnonzero(~assigned(codes))
    if not len(strange):
        return strange
    widths = np.ones(len(codes), np.int64)
    for least in (0x80, 0x800, 0x10000):
        widths += codes >= least
    place = (np.cumsum(widths) - widths)[strange]
    return np.append(marked * 8, full)[place // 8] + place % 8
