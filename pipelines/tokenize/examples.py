"""Documents as examples of a task: token ids, those that are to be learned marked, or the reason why not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.stage_output import StageOutput
from pipelines.tagged import tagged_batches, tagged_spark_schema, untag
from pipelines.tokenize.engine import plain_tokenizer
from pipelines.tokenize.special import SpecialTokenError, specials_of
from pipelines.worker import Kernel, in_warm_worker
from schemas.refused import REFUSED
from schemas.token_ids import BEGINS, ID_BITS, LEARNED, binary_ids
from schemas.tokens import TOKENS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLES = (TOKENS, REFUSED)
Words = npt.NDArray[np.uint32]

MOST_EXAMPLES = 2**16
"""Most examples of a document: packing tells them apart by their number."""


@dataclass(frozen=True)
class Row:
    """What a document has for a task.

    Attributes:
        text: Its text.
        target: The other side of a pair.
        label: What is to be learned of it.
    """

    text: str
    target: str | None
    label: str | None


class Refusal(NamedTuple):
    """Why a document is no example.

    Attributes:
        reason: Short code.
        detail: A sentence with the value and the limit.
        part: 0: the whole document is none; n: its n-th question is none.
    """

    reason: str
    detail: str
    part: int = 0


class Several(NamedTuple):
    """The examples of a document that has more than one, and what of it is none.

    Attributes:
        words: The examples; none, where the whole document is refused.
        refused: Its parts that are none; the whole document, where none is left.
    """

    words: list[Words]
    refused: list[Refusal]


Outcome = Words | Refusal | Several
"""What becomes of a document."""


class TextIds:
    """Token ids of texts in the frame of a tokenizer. No text yields a special token: those are the frame's.

    Args:
        content: Content of a tokenizer.json, whose post-processor frames a text.
    """

    def __init__(self, content: str) -> None:
        self.tokenizer = plain_tokenizer(content)
        self._specials = specials_of(self.tokenizer)

    def of(self, texts: Sequence[str]) -> list[Words]:
        """The ids of each text; SpecialTokenError if one would be given a special token."""
        found = []
        for encoding in self.tokenizer.encode_batch(list(texts), add_special_tokens=True):
            ids = np.array(encoding.ids, np.uint32)
            self.check(ids[np.array(encoding.special_tokens_mask, bool) == 0])
            found.append(ids)
        return found

    def check(self, ids: Words) -> None:
        """SpecialTokenError if a text without its frame was given a special token."""
        if spelled := self._specials.keys() & set(ids.tolist()):
            raise SpecialTokenError(f"a text would be given {self._specials[min(spelled)]!r}")


class ExampleMaker(ABC):
    """Makes examples of documents.

    Args:
        content: Content of a tokenizer.json, whose post-processor frames a text.
        max_tokens: Longest example, what is learned included.

    Attributes:
        rows_at_once: Documents that are encoded in one call.
        several: Whether a document may have several examples.
    """

    rows_at_once: ClassVar[int] = 1000
    several: ClassVar[bool] = False

    def __init__(self, content: str, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._texts = TextIds(content)
        self._tokenizer = self._texts.tokenizer

    @abstractmethod
    def make(self, rows: Sequence[Row]) -> Sequence[Outcome]:
        """An example, or why there is none, for each row."""

    def ids(self, texts: Sequence[str]) -> list[Words]:
        """Token ids of texts in their frame. No text yields a special token: those are the frame's.

        Raises:
            SpecialTokenError: One would.
        """
        return self._texts.of(texts)

    def check_text(self, ids: Words) -> None:
        """SpecialTokenError if a text without its frame was given a special token."""
        self._texts.check(ids)

    def joined(self, given: Words, learned: Words) -> Words | Refusal:
        """An example of both parts; a refusal if it is too long."""
        return self.marked(
            np.concatenate([given, learned]), np.arange(len(given) + len(learned)) >= len(given)
        )

    def marked(self, ids: Words, learned: npt.NDArray[np.bool_]) -> Words | Refusal:
        """An example of ids of which some are to be learned; a refusal if it is too long.

        Raises:
            ValueError: There is none, or one is larger than an id may be.
        """
        if not len(ids) or int(ids.max()) > ID_BITS:
            raise ValueError(f"an example needs ids from 0 to {ID_BITS:,}, but these are {ids.tolist()[:20]}")
        if len(ids) > self.max_tokens:
            return Refusal(
                "too_long", f"{len(ids):,} tokens are more than task.max_tokens = {self.max_tokens:,}"
            )
        words = ids | np.where(learned, np.uint32(LEARNED), np.uint32(0))
        words[0] |= np.uint32(BEGINS)
        return words


def encode_examples(
    corpus: DataFrame, maker: type[ExampleMaker], arguments: Mapping[str, Any]
) -> StageOutput:
    """The tables `tokens` and `refused` of a corpus: each document is in one of them.

    Args:
        corpus: Table `corpus`.
        maker: What makes examples.
        arguments: What it is made with, in each task of Spark.
    """
    columns = corpus.select("doc_id", "source", "source_id", "split", "text", "target", "label", "num_bytes")
    kernel = in_warm_worker(_kernel(maker, dict(arguments)))
    tagged = columns.mapInArrow(kernel, tagged_spark_schema(TABLES))
    tables = {table.name: untag(tagged, table) for table in TABLES}
    return StageOutput(tables=tables, shared=(tagged,), details={"engine": "tokenizers"})


def _kernel(maker: type[ExampleMaker], arguments: dict[str, Any]) -> Kernel:
    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        made = maker(**arguments)
        for batch in batches:
            for low in range(0, batch.num_rows, made.rows_at_once):
                yield from _sorted_out(batch.slice(low, made.rows_at_once), made)

    return convert


def _sorted_out(batch: pa.RecordBatch, maker: ExampleMaker) -> Iterator[pa.RecordBatch]:
    columns = (batch.column(name).to_pylist() for name in ("text", "target", "label"))
    kept: list[tuple[int, Words]] = []
    refused: list[tuple[int, Refusal]] = []
    outcomes = maker.make([Row(*values) for values in zip(*columns, strict=True)])
    if len(outcomes) != batch.num_rows:
        raise ValueError(f"{_name(maker)} made {len(outcomes)} outcomes of {batch.num_rows} documents")
    for number, made in enumerate(outcomes):
        if isinstance(made, Refusal):
            refused.append((number, made))
        elif isinstance(made, Several):
            refused += [(number, one) for one in made.refused]
            kept += [(number, np.concatenate(_checked(made.words, maker)))] if made.words else []
        else:
            kept += [(number, words) for words in _checked([made], maker)]
    if kept:
        rows = batch.take(pa.array([number for number, _ in kept]))
        lengths = np.array([len(words) for _, words in kept], np.int64)
        ids = binary_ids(np.concatenate([words for _, words in kept]), lengths)
        arrays = [rows["doc_id"], rows["split"], ids, pa.array(lengths), rows["num_bytes"]]
        yield from tagged_batches(TABLES, TOKENS, arrays)
    if refused:
        rows = batch.take(pa.array([number for number, _ in refused]))
        same = [rows[name] for name in ("doc_id", "source", "source_id", "split")]
        told = [pa.array([getattr(one, name) for _, one in refused]) for name in ("reason", "detail", "part")]
        yield from tagged_batches(TABLES, REFUSED, [*same, *told])


def _checked(examples: list[Words], maker: ExampleMaker) -> list[Words]:
    """The examples of a document; ValueError if packing and training would take them for something else."""
    if len(examples) > (MOST_EXAMPLES if maker.several else 1):
        most = f"{MOST_EXAMPLES:,}" if maker.several else "1, unless its class says several = True"
        raise ValueError(
            f"{_name(maker)} made {len(examples):,} examples of a document; the most there may be: {most}"
        )
    for words in examples:
        if not 0 < len(words) <= maker.max_tokens or not words[0] & BEGINS:
            raise ValueError(
                f"{_name(maker)} made an example of {len(words):,} tokens that is longer than "
                f"task.max_tokens = {maker.max_tokens:,}, or does not begin as one; make examples by its "
                f"methods joined or marked"
            )
    return examples


def _name(maker: ExampleMaker) -> str:
    """What to call a maker in a message."""
    return f"{type(maker).__module__}.{type(maker).__qualname__}"
