"""`ringlake ingest` on files that the user names."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.support.cli import ringlake, status
from tests.support.tables import rows


def test_inputs_are_read_as_their_extensions_say(tmp_path: Path) -> None:
    lines = [json.dumps({"id": number, "text": f"Document number {number}."}) for number in range(3)]
    with gzip.open(tmp_path / "a.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join([*lines, '{"id": 3, "text', ""]))
    (tmp_path / "b.txt").write_text("A text file.\n", encoding="utf-8")
    (tmp_path / "c.xyz").write_text("what is this", encoding="utf-8")
    names = [tmp_path / name for name in ("a.jsonl.gz", "b.txt", "c.xyz")]
    ringlake("ingest", "--input", *names, "--lake", tmp_path / "lake")

    [run] = status(tmp_path / "lake")["runs"]
    assert (run["rows_in"], run["rows_out"], run["rows_quarantined"]) == (6, 4, 2)
    found = {(row["source"], row["source_id"], row["text"]) for row in rows(tmp_path / "lake", "documents")}
    assert found == {
        *(("a.jsonl.gz", str(number), f"Document number {number}.") for number in range(3)),
        ("b.txt", None, "A text file."),
    }
    reasons = {row["source"]: row["reason"] for row in rows(tmp_path / "lake", "quarantine")}
    assert reasons == {"a.jsonl.gz": "bad_json", "c.xyz": "unknown_format"}
