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
    (tmp_path / ".hidden.txt").write_text("not read", encoding="utf-8")
    ingest: list[str | Path] = ["ingest", "--input", *names, "--lake", tmp_path / "lake"]
    done = ringlake(*ingest, "--set", "ingest.max_quarantined_share=0.33", code=6)
    assert "2 of 6 records (33.3%) were quarantined (bad_json 1, unknown_format 1; " in done.stderr
    assert "--set ingest.max_quarantined_share=0.34" in done.stderr
    done = ringlake(*ingest)
    assert "quarantined: bad_json 1, unknown_format 1" in done.stderr
    assert "1 file ('c.xyz') was quarantined as unknown_format: no reader knows its extension" in done.stderr
    assert "set ingest.format to force one" in done.stderr
    assert ".hidden.txt" not in done.stderr

    refused, run = status(tmp_path / "lake")["runs"]
    assert refused["state"] == "failed"
    assert (run["rows_in"], run["rows_out"], run["rows_quarantined"]) == (6, 4, 2)
    found = {(row["source"], row["source_id"], row["text"]) for row in rows(tmp_path / "lake", "documents")}
    assert found == {
        *(("a.jsonl.gz", str(number), f"Document number {number}.") for number in range(3)),
        ("b.txt", None, "A text file."),
    }
    reasons = {row["source"]: row["reason"] for row in rows(tmp_path / "lake", "quarantine")}
    assert reasons == {"a.jsonl.gz": "bad_json", "c.xyz": "unknown_format"}


def test_a_folder_of_which_nothing_can_be_read_is_refused_with_the_names(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    ingest = ("ingest", "--input", folder, "--lake", tmp_path / "lake")
    assert "matches no file" in ringlake(*ingest, code=3).stderr
    (folder / ".hidden.txt").write_text("a text", encoding="utf-8")
    (folder / ".git").mkdir()
    done = ringlake(*ingest, code=3)
    assert "2 files or folders (" in done.stderr
    assert "left out, as their names begin with a dot; to read them, name them" in done.stderr
    for number in range(7):
        (folder / f"{number}.xyz").write_text("a text\n", encoding="utf-8")
    done = ringlake(*ingest, code=6)
    assert "note: 2 files or folders (" in done.stderr
    assert "none of 7 records became a document (unknown_format 7; 7 files ('0.xyz', " in done.stderr
    assert "'4.xyz' and 2 more) were quarantined as unknown_format" in done.stderr
    assert "known are jsonl (" in done.stderr
    assert "set ingest.format to force one" in done.stderr
