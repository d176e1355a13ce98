"""One process: every row of a file or table once, in its order, the output whole or as it was."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from pipelines.console.console import Console
from pipelines.errors import InputError
from pipelines.lake.predictions import parts_of
from pipelines.predict import local
from pipelines.predict.local import predict_locally
from pipelines.predict.request import request
from pipelines.predict.rows import json_row, parse_line
from tests.inference.tiny import TEXTS
from training.inference.predictor import Prediction, Refusal

LINES = [
    json.dumps({"id": 7, "text": TEXTS[0]}).encode(),
    b"",
    b'{"id": "a", "text": ',
    json.dumps({"id": None, "text": TEXTS[1]}).encode(),
    json.dumps({"id": [1, {"b": 2}], "text": None}).encode(),
    b'{"text": "\xff"}',
    b"[1]",
    b'{"id": NaN, "text": "fox"}',
    json.dumps({"id": "a\ud800", "text": "dog\ud800"}).encode(),
    json.dumps({"id": "last", "text": TEXTS[3]}).encode() + b"\r",
]


def predict(models: dict[str, Path], verb: str, source: Path, target: Path, **more: Any) -> str:
    shown = io.StringIO()
    predict_locally(request(verb, str(models[verb])), str(source), str(target), Console(shown), **more)
    return shown.getvalue()


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(LINES))
    return path


def test_every_line_has_its_row_in_order(models: dict[str, Path], lines: Path, tmp_path: Path) -> None:
    shown = predict(models, "classify", lines, tmp_path / "out.jsonl", force=False)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert [row["id"] for row in found] == [7, None, None, [1, {"b": 2}], None, None, None, "a\ud800", "last"]
    reasons = [row.get("error", {}).get("reason") for row in found]
    assert reasons == [
        *(None, "bad_json", None, "missing", "not_utf8", "bad_json", "bad_json", "not_text", None),
    ]
    for row in found:
        assert set(row) == (
            {"id", "prediction", "error"} if "error" in row else {"id", "prediction", "score"}
        )
    assert "line 3 " in found[1]["error"]["detail"]
    assert "9 rows, 3 predicted, 6 refused (bad_json 3, missing 1, not_text 1, not_utf8 1)" in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "rows.jsonl"]


def test_rows_do_not_depend_on_the_groups(
    models: dict[str, Path], lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(models, "translate", lines, tmp_path / "a.jsonl", force=False)
    monkeypatch.setattr(local, "GROUP_ROWS", 2)
    predict(models, "translate", lines, tmp_path / "b.jsonl", force=False)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_failure_leaves_the_output_as_it_was(
    models: dict[str, Path], lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("before")

    def fails(*_: Any) -> None:
        raise OSError("gone")

    monkeypatch.setattr(local, "json_row", fails)
    with pytest.raises(OSError, match="gone"):
        predict(models, "classify", lines, target, force=False)
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "rows.jsonl"]


def test_a_table_keeps_the_type_of_its_ids(models: dict[str, Path], tmp_path: Path) -> None:
    rows = pa.table({"n": pa.array([4, 5, None], pa.int64()), "text": [*TEXTS[:2], None], "more": [1, 2, 3]})
    write_deltalake(str(tmp_path / "in"), rows)
    write_deltalake(str(tmp_path / "in"), rows, mode="append")
    shown = io.StringIO()
    wanted = request("embed", str(models["embed"]), {}, "n")
    predict_locally(wanted, f"{tmp_path}/in@0", str(tmp_path / "out"), Console(shown), force=False)
    table = DeltaTable(str(tmp_path / "out")).to_pyarrow_table()
    assert table.column_names == ["id", "prediction", "score", "reason", "detail"]
    found = sorted(table.to_pylist(), key=lambda row: row["id"] or 99)
    assert [(row["id"], row["reason"]) for row in found] == [(4, None), (5, None), (None, "missing")]
    assert len(found[0]["prediction"]) == 32 and found[2]["prediction"] is None
    (part,) = parts_of(str(tmp_path / "out"))
    assert part.noted["input_version"] == 0 and part.noted["model"] == wanted.identity


def test_lines_into_a_table_have_ids_as_text(models: dict[str, Path], lines: Path, tmp_path: Path) -> None:
    predict(models, "classify", lines, tmp_path / "out", force=False)
    ids = DeltaTable(str(tmp_path / "out")).to_pyarrow_table().column("id").to_pylist()
    assert sorted(map(str, ids)) == sorted(["7", *["None"] * 5, '[1, {"b": 2}]', "a?", "last"])


def test_another_table_is_not_written_over(models: dict[str, Path], lines: Path, tmp_path: Path) -> None:
    write_deltalake(str(tmp_path / "theirs"), pa.table({"a": [1]}))
    with pytest.raises(InputError, match="no prediction has made"):
        predict(models, "classify", lines, tmp_path / "theirs", force=False)
    predict(models, "classify", lines, tmp_path / "theirs", force=True)
    predict(models, "classify", lines, tmp_path / "theirs", force=False)
    (tmp_path / "tables").mkdir()
    write_deltalake(str(tmp_path / "tables" / "corpus"), pa.table({"a": [1]}))
    with pytest.raises(InputError, match="table of a stage"):
        predict(models, "classify", lines, tmp_path / "tables" / "corpus", force=True)


def test_an_input_without_a_usable_row_fails_and_its_output_says_why(
    models: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 1, "body": "fox"}\n')
    with pytest.raises(
        InputError, match=r"no row could be used \(1 rows, 0 predicted, 1 refused \(missing 1"
    ):
        predict(models, "classify", tmp_path / "in.jsonl", tmp_path / "out.jsonl", force=False)
    assert "it has body" in (tmp_path / "out.jsonl").read_text()


def test_what_cannot_be_is_told(models: dict[str, Path], lines: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="both"):
        predict(models, "classify", lines, lines, force=False)
    with pytest.raises(InputError, match="does not exist"):
        predict(models, "classify", tmp_path / "no.jsonl", tmp_path / "out.jsonl", force=False)
    with pytest.raises(InputError, match="no Delta table"):
        predict(models, "classify", tmp_path / "no", tmp_path / "out.jsonl", force=False)
    write_deltalake(str(tmp_path / "in"), pa.table({"id": [1], "body": ["a"]}))
    with pytest.raises(InputError, match="has no column text, which classify reads; its columns: id, body"):
        predict(models, "classify", tmp_path / "in", tmp_path / "out.jsonl", force=False)
    with pytest.raises(InputError, match="classify has no option 'beam'"):
        request("classify", str(models["classify"]), {"beam": 3})
    with pytest.raises(InputError, match=r"temperature = 0\.5 draws one"):
        request("generate", str(models["generate"]), {"beams": 2, "temperature": 0.5})


def test_lines_of_json() -> None:
    assert parse_line(b'{"id": 1, "a": "\\u00e9"}', "x").row == {"id": 1, "a": "é"}
    deep = parse_line(b'{"a":' + b"[" * 200_000, "line 1")
    assert isinstance(deep.row, Refusal) and deep.row.reason == "bad_json"
    huge = parse_line(b'{"id": ' + b"1" * 5000 + b"}", "line 1")
    assert isinstance(huge.row, Refusal) and huge.row.reason == "bad_json"
    assert json_row(1, Prediction("é", 0.5)) == '{"id": 1, "prediction": "é", "score": 0.5}\n'.encode()
