"""Rows as they are asked, and what comes out of them as JSON lines and Arrow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from training.inference.options import Verb
from training.inference.predictor import Outcome, Prediction, Predictor, Refusal, Row

MAX_LINE_BYTES = 64 << 20
"""Longest line of JSON: a text of tens of millions of characters is no input of a model."""

COLUMNS = ("id", "prediction", "score", "reason", "detail")
"""Columns of a table of predictions."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A row to be predicted.

    Attributes:
        id: Its id, any JSON value; None if it has none.
        row: Its columns, or why it is no row.
    """

    id: Any
    row: Row | Refusal


def parse_line(raw: bytes, where: str, id_column: str = "id") -> Asked:
    """The row of a line of JSON; one that is damaged is refused with what is wrong.

    Args:
        raw: The line.
        where: Says which line it is.
        id_column: The name that the id has in it.
    """
    try:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        return Asked(None, Refusal("not_utf8", f"{where} is no UTF-8 at byte {error.start}"))
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        return Asked(None, Refusal("bad_json", f"{where} is nested too deeply"))
    except ValueError as error:
        return Asked(None, Refusal("bad_json", f"{where} is no JSON: {error}"))
    if not isinstance(value, dict):
        return Asked(None, Refusal("bad_json", f"{where} is a {type(value).__name__}, not an object"))
    return Asked(value.get(id_column), value)


def answered(predictor: Predictor, asked: Sequence[Asked]) -> list[Outcome]:
    """What becomes of each row, in their order; the id goes with a row under its own name."""
    rows = {
        number: item.row if item.row.get("id") == item.id else {**item.row, "id": item.id}
        for number, item in enumerate(asked)
        if not isinstance(item.row, Refusal)
    }
    found = dict(zip(rows, predictor.predict(list(rows.values())), strict=True))
    return [item.row if isinstance(item.row, Refusal) else found[number] for number, item in enumerate(asked)]


def json_row(id_: Any, outcome: Outcome) -> bytes:
    """A line of JSON, its end included."""
    value: dict[str, Any] = {"id": id_}
    if isinstance(outcome, Refusal):
        value |= {"prediction": None, "error": {"reason": outcome.reason, "detail": outcome.detail}}
    else:
        value["prediction"] = outcome.value
        if outcome.score is not None:
            value["score"] = outcome.score
    try:
        return (json.dumps(value, ensure_ascii=False, default=str) + "\n").encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON can only have as an escape.
        return (json.dumps(value, default=str) + "\n").encode()


def prediction_type(verb: Verb) -> pa.DataType:
    """Type of the column `prediction`."""
    return pa.list_(pa.float32()) if verb == "embed" else pa.string()


def result_fields(verb: Verb) -> list[pa.Field]:
    """The columns of a prediction without its id."""
    types = (prediction_type(verb), pa.float64(), pa.string(), pa.string())
    return [pa.field(name, kind) for name, kind in zip(COLUMNS[1:], types, strict=True)]


def result_arrays(verb: Verb, outcomes: Iterable[Outcome]) -> list[pa.Array]:
    """The same columns of some rows: a row has a prediction, or reason and detail."""
    outcomes = list(outcomes)
    good = [item if isinstance(item, Prediction) else None for item in outcomes]
    bad = [item if isinstance(item, Refusal) else None for item in outcomes]
    values: tuple[list[Any], ...] = (
        [None if item is None else item.value for item in good],
        [None if item is None else item.score for item in good],
        [None if item is None else item.reason for item in bad],
        [None if item is None else item.detail for item in bad],
    )
    return [
        pa.array([_valid(value) for value in column], field.type)
        for column, field in zip(values, result_fields(verb), strict=True)
    ]


def id_array(ids: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Ids as a column; those of JSON lines as text, numbers and objects as JSON writes them."""
    if pa.types.is_string(kind):
        ids = [
            item if item is None or isinstance(item, str) else json.dumps(item, ensure_ascii=False)
            for item in ids
        ]
    return pa.array([_valid(item) for item in ids], kind)


def reasons(outcomes: Iterable[Outcome]) -> Counter[str]:
    """How many rows were refused, by reason."""
    return Counter(item.reason for item in outcomes if isinstance(item, Refusal))


def told(num_rows: int, refused: Counter[str]) -> str:
    """Rows and what became of them, for people."""
    bad = sum(refused.values())
    kinds = ", ".join(f"{reason} {count:,}" for reason, count in sorted(refused.items()))
    return f"{num_rows:,} rows, {num_rows - bad:,} predicted" + (
        f", {bad:,} refused ({kinds})" if bad else ""
    )


def _valid(value: Any) -> Any:
    """Half a surrogate pair has no UTF-8: in a table it becomes a replacement character."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
