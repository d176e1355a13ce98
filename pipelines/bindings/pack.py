"""Pack: reads what it wrote once more, and compares tokens and documents with what went in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.pack import PackConfig
from conf.task import TaskConfig
from pipelines.bindings.versions import check_made_of, note_unread
from pipelines.errors import AccountingError, InputError
from pipelines.lake import read_table
from pipelines.mix.stage import with_copies
from pipelines.pack.examples import examples_apart
from pipelines.pack.stage import pack, packed_totals, write_settings
from pipelines.run.accounting import Tally
from pipelines.run.binding import Besides, Binding, Finished, Given, Made, Written
from pipelines.run.context import Context
from pipelines.run.keys import digest
from training.facts import SEVERAL, other_task

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_TOKENS_MADE = ("tokenizer_hash", "vocab_size", "eod_id", "token_bytes")
"""What tokenizing notes with the commit of `tokens`, and packing with that of `sequences`."""


def _pack(given: Given[Mapping[str, int]]) -> Made:
    tokens = _tokens(given)
    source, config = given.tables["tokens"], given.config.pack
    if "token_bytes" not in source.metadata:
        place = given.context.lake.location
        raise InputError(
            f"table 'tokens' (version {source.version}) of the lake {place} is of another "
            f"release, whose token ids are stored in another way; tokenize again: "
            f"ringlake tokenize --lake {place}"
        )
    made = {name: source.metadata[name] for name in _TOKENS_MADE}
    if facts := source.metadata.get("task"):
        config = whole_examples(config, given.config.task, facts)
        made["task"] = facts
        if facts.get(SEVERAL):
            tokens = examples_apart(tokens)
    output = pack(tokens, config, made["eod_id"], made["vocab_size"], made["token_bytes"], given.besides)
    # Of a large corpus files and row groups are larger than configured.
    sizes = {name: output.details[name] for name in ("rows_per_group", "rows_per_file")}
    config = config.model_copy(update=sizes)
    made |= {"sequence_length": config.sequence_length, "rows_per_group": config.rows_per_group}
    return Made.of(
        output,
        noted=made,
        settings=write_settings(config),
        finish=partial(_compare, given, tokens, made),
    )


def _tokens(given: Given[Mapping[str, int]]) -> DataFrame:
    """The rows to pack: those of `tokens`, each as often as `mixed` says if there is a mixture.

    Raises:
        InputError: `mixed` was made of another version of `tokens`.
    """
    tokens = given.frame("tokens")
    if "mixed" not in given.tables:
        note_unread(given, "mixed", "tokens", "mix.groups")
        return unpacked(tokens, given.context)
    check_made_of(given, "mixed", "tokens", "mix again with the same run file: ringlake mix")
    return with_copies(tokens, given.frame("mixed"))


def unpacked(tokens: DataFrame, context: Context) -> DataFrame:
    """Of the tokens of a daily batch those of documents that no earlier batch has packed.

    A file that was replaced may have most documents as before, and what is compared anew may stay.
    """
    packed = None if context.batch is None else context.batch.packed
    return tokens if packed is None else tokens.join(packed.select("doc_id"), "doc_id", "left_anti")


def _compare(
    given: Given[Mapping[str, int]], tokens: DataFrame, made: dict[str, Any], written: Written
) -> Finished:
    """The accounts: documents in copies and examples; AccountingError unless every token is in a sequence."""
    version = written.versions["sequences"]
    documents, packed = packed_totals(read_table(given.spark, given.context.lake, "sequences", version))
    totals = tokens.agg(F.sum("num_tokens") + F.count("*")).first()
    assert totals is not None
    if packed != totals[0]:
        raise AccountingError(
            f"pack: {totals[0]} tokens (end-of-document tokens included) went in, {packed} came out; "
            "the run is not recorded as done. Please report this with the run file"
        )
    # A row a copy of a document, or of an example where documents have several.
    is_as_read = "copy" not in tokens.columns
    rows_in = given.tables["tokens"].rows if is_as_read else tokens.count()
    details = {**made, "tokens": packed, "sequences": written.rows["sequences"]}
    known = 0
    if is_as_read and given.context.batch is not None and given.context.batch.packed is not None:
        known = rows_in - tokens.count()
    return Finished(details, Tally(rows_in=rows_in, rows_out=documents, rows_duplicate=known))


def whole_examples(config: PackConfig, task: TaskConfig, facts: Mapping[str, Any]) -> PackConfig:
    """The section as it packs the examples of a task: none is cut.

    Raises:
        InputError: A sequence does not hold the longest example, or they are of another task.
    """
    if told := other_task(task, facts):
        raise InputError(f"pack: the tokens {told}; tokenize again with this run file")
    if config.sequence_length <= task.max_tokens:
        raise InputError(
            f"pack.sequence_length = {config.sequence_length} does not hold an example of task.max_tokens = "
            f"{task.max_tokens} and the token behind it; set it to {task.max_tokens + 1} at least"
        )
    return config.model_copy(update={"method": "best_fit"})


def _first_ids(context: Context) -> Besides[Mapping[str, int]]:
    """Sequences of each split that are there already, where a daily batch is added to them."""
    first = {} if context.batch is None else dict(context.batch.first_ids)
    return Besides(first, digest(first) if first else "")


BINDING = Binding(_pack, _first_ids)
