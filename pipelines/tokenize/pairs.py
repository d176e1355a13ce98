"""Examples of translation: a text, and the target that is to be learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pipelines.text.blank import is_blank
from pipelines.text.script import script_of
from pipelines.tokenize.examples import ExampleMaker, Refusal, Row, TextIds, Words
from pipelines.tokenize.tasks import Examples

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Pairs(ExampleMaker):
    """A text and its target, each framed by its tokenizer.

    Args:
        content: See `ExampleMaker`.
        max_tokens: See `ExampleMaker`.
        script: Script of most letters of a target, as their Unicode names begin; None: any. Words that it has
            from its text, names and placeholders, do not count.
        target_content: Content of the tokenizer.json of the targets; empty: that of the texts.
    """

    def __init__(
        self, content: str, max_tokens: int, script: str | None = None, target_content: str = ""
    ) -> None:
        super().__init__(content, max_tokens)
        self._targets = TextIds(target_content) if target_content else self._texts
        self._script = script

    def make(self, rows: Sequence[Row]) -> list[Words | Refusal]:
        """An example, or why there is none, for each row."""
        faults = [self._fault(row) for row in rows]
        good = [row for row, fault in zip(rows, faults, strict=True) if fault is None]
        given = iter(self.ids([row.text for row in good]))
        learned = iter(self._targets.of([row.target or "" for row in good]))
        return [self.joined(next(given), next(learned)) if fault is None else fault for fault in faults]

    def _fault(self, row: Row) -> Refusal | None:
        if row.target is None:
            return Refusal(
                "no_target", "it has no target; name the field of the other side: ingest.target_field"
            )
        if is_blank(row.text) or is_blank(row.target):
            return Refusal("empty_side", "text or target is empty or white space")
        if self._script is not None and (found := script_of(row.target, row.text)) != self._script:
            return Refusal(
                "wrong_script",
                f"most letters of the target that the text does not have are {found or 'of no script'}, "
                f"not {self._script}",
            )
        return None


def _both_sides(corpus: DataFrame) -> DataFrame:
    """One tokenizer for both: each row has text and target in turn."""
    return corpus.withColumn("text", F.concat_ws("\n", "text", "target"))


def _targets(corpus: DataFrame) -> DataFrame:
    """One for the targets alone."""
    return corpus.where("target IS NOT NULL").withColumn("text", F.col("target"))


EXAMPLES = Examples(
    Pairs,
    "$A END",
    arguments=lambda config, _facts, _settings: {"script": config.target_script},
    texts=_both_sides,
    targets=_targets,
)
