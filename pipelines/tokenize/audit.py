"""Comparing what gigatoken gave with what `tokenizers` gives: before a run, and on a part of every task."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from pipelines.tokenize.engine import Encoder, Ints, encode_plain, fast_tokenizer, plain_tokenizer
from schemas.token_ids import TokenIds

FIRST_BYTES = 2**16
"""Text at the beginning of a task that is compared whole: `tokenizers` takes some 15 ms for it."""

STRIDE = 1024
"""Of the texts after that every 1024th is compared: `tokenizers` is about a hundred times slower."""

MAX_AUDITED_BYTES = 2**16
"""Longer texts are not among those that are compared."""

_RAISED = re.compile(r"^(?:[\w.]+\.)?DifferentIdsError: (.*)", re.MULTILINE)
_SPECIAL = re.compile(r"^(?:[\w.]+\.)?SpecialTokenError: (.*)", re.MULTILINE)


class DifferentIdsError(Exception):
    """gigatoken gave a text other ids than `tokenizers`.

    It is raised in a task. In the driver Spark raises an error of its own, whose text has name and message.
    """


def difference_in(error: BaseException) -> str | None:
    """The message of the DifferentIdsError that ended a Spark job, None if something else did."""
    found = _RAISED.search(str(error))
    return found[1].strip() if found else None


def special_in(error: BaseException) -> str | None:
    """The message of the SpecialTokenError that ended a Spark job, None if something else did."""
    found = _SPECIAL.search(str(error))
    return found[1].strip() if found else None


class Audit:
    """Compares a part of a task's texts as they are encoded.

    Args:
        content: Content of the tokenizer.json.
    """

    def __init__(self, content: str) -> None:
        self._plain = plain_tokenizer(content)
        self._room = FIRST_BYTES
        self._seen = 0

    def see(self, texts: pa.StringArray, ids: TokenIds, lengths: Ints) -> None:
        """Looks at the next texts of the task.

        Args:
            texts: Strings without null.
            ids: Ids that they were given, one text after another.
            lengths: The number of each text's ids.

        Raises:
            DifferentIdsError: `tokenizers` gives other ids to one that is compared.
        """
        rows = self._choose(np.asarray(pc.binary_length(texts), np.int64))
        if len(rows):
            text = _first_different(self._plain, texts, rows, ids, lengths)
            if text is not None:
                raise DifferentIdsError(f"it gives other ids to a text of the corpus ({text[:60]!r})")

    def _choose(self, sizes: Ints) -> Ints:
        small = sizes <= MAX_AUDITED_BYTES
        used = np.cumsum(np.where(small, sizes, 0))
        numbers = np.arange(self._seen, self._seen + len(sizes))
        chosen = small & ((used <= self._room) | (numbers % STRIDE == 0))
        self._seen += len(sizes)
        self._room = max(0, self._room - int(used[-1:].sum()))
        return np.flatnonzero(chosen)


def compare(content: str, texts: pa.StringArray) -> str | None:
    """The first text to which the two libraries give different ids, None if there is none."""
    if not len(texts):
        return None
    # Not `encode`, which would hide a failure.
    ids, lengths = Encoder(content, "gigatoken", 4).encode_fast(fast_tokenizer(content), texts)
    return _first_different(plain_tokenizer(content), texts, np.arange(len(texts)), ids, lengths)


def _first_different(
    plain: Tokenizer, texts: pa.StringArray, rows: Ints, ids: TokenIds, lengths: Ints
) -> str | None:
    wanted, wanted_lengths = encode_plain(plain, texts.take(pa.array(rows)))
    ends, wanted_ends = np.cumsum(lengths), np.cumsum(wanted_lengths)
    for number, row in enumerate(rows.tolist()):
        one = ids[ends[row] - lengths[row] : ends[row]]
        other = wanted[wanted_ends[number] - wanted_lengths[number] : wanted_ends[number]]
        if not np.array_equal(one, other):
            return str(texts[row].as_py())
    return None
