"""A real run tells of itself: the summary, events of OpenLineage through a file and an endpoint, figures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.lineage.columns import UNCHANGED
from tests.lineage.receiver import receiver
from tests.support import sites
from tests.support.cli import ringlake, status, write_run
from tests.support.corpus import write_corpus
from tests.support.tables import rows

PINS = Path(__file__).with_name("openlineage.txt")
ROOT = Path(__file__).resolve().parents[2]
STAGES = ["ingest", "clean", "dedup", "tokenize"]


@dataclass(frozen=True)
class Told:
    """What a run left.

    Attributes:
        folder: Run file, lake, and what was written.
        words: The command, without the writers.
        env: Its environment, with the library.
    """

    folder: Path
    words: tuple[str, ...]
    env: dict[str, str]

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def again(self, *words: str, code: int = 0) -> str:
        return ringlake(*self.words, *words, code=code, env=self.env).stderr

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("told")
    write_corpus(folder / "corpus.jsonl", 120)
    run_file = write_run(folder / "run.yaml", folder / "corpus.jsonl")
    site = sites.site("openlineage", PINS)
    words = ("run", str(run_file), "--until", "tokenize", "--set", f"lake={folder / 'lake'}")
    found = Told(folder, words, {"PYTHONPATH": f"{ROOT}:{site}"})
    found.again("--summary", str(folder / "summary.json"), "--openlineage", str(folder / "events.jsonl"),
                "--prometheus", str(folder / "ringlake.prom"))  # fmt: skip
    (folder / "first.json").write_text((folder / "summary.json").read_text())
    return found


def events_of(told: Told) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (told.folder / "events.jsonl").read_text().splitlines()]


def test_the_summary_is_the_ledger(told: Told) -> None:
    found = json.loads((told.folder / "first.json").read_text())
    assert (found["state"], found["error"], found["lake"]) == ("succeeded", None, str(told.lake))
    assert [stage["stage"] for stage in found["stages"]] == STAGES
    ledger = {run["stage"]: run for run in status(told.lake)["runs"]}
    for stage in found["stages"]:
        run = ledger[stage["stage"]]
        assert stage["state"] == "succeeded" and stage["seconds"] > 0
        for name in ("rows_in", "rows_out", "rows_rejected", "rows_quarantined", "rows_duplicate"):
            assert stage[name] == run[name], (stage["stage"], name)
        lost = stage["rows_rejected"] + stage["rows_quarantined"] + stage["rows_duplicate"]
        assert stage["rows_in"] == stage["rows_out"] + lost
        assert {item["table"]: item["version"] for item in stage["outputs"]} == run["outputs"]
        assert {item["table"]: item["version"] for item in stage["inputs"]} == run["inputs"]
        assert all(Path(item["path"]).is_dir() for item in stage["outputs"])


def test_events_begin_and_end_with_what_was_read_and_written(told: Told) -> None:
    events = events_of(told)
    kinds = Counter((event["job"]["name"], event["eventType"]) for event in events)
    jobs = ["small", *(f"small.{stage}" for stage in STAGES)]
    assert kinds == Counter((job, kind) for job in jobs for kind in ("START", "COMPLETE"))
    summary = json.loads((told.folder / "first.json").read_text())
    runs = {event["job"]["name"]: event["run"]["runId"] for event in events}
    assert runs["small"] == summary["run_id"] and len(set(runs.values())) == len(jobs)
    ends = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    for stage in summary["stages"]:
        end = ends[f"small.{stage['stage']}"]
        assert end["run"]["facets"]["parent"]["run"]["runId"] == summary["run_id"]
        for side in ("inputs", "outputs"):
            found = {
                (item["namespace"], item["name"], int(item["facets"]["version"]["datasetVersion"]))
                for item in end[side]
            }
            assert found == {("file", item["path"], item["version"]) for item in stage[side]}
    (corpus,) = [item for item in ends["small.dedup"]["outputs"] if item["name"].endswith("/corpus")]
    assert corpus["outputFacets"]["outputStatistics"]["rowCount"] == len(rows(told.lake, "corpus"))
    fields = {item["name"]: item["type"] for item in corpus["facets"]["schema"]["fields"]}
    assert fields["doc_id"] == "string" and fields["text"] == "string"


def test_events_are_what_the_library_reads(told: Told, tmp_path: Path) -> None:
    """Each event is built anew from its JSON by the library's classes, and is the same."""
    program = """
import json, sys
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.serde import Serde
for line in open(sys.argv[1]):
    event = json.loads(line)
    made = RunEvent(
        eventType=RunState[event["eventType"]], eventTime=event["eventTime"], producer=event["producer"],
        run=Run(**event["run"]), job=Job(**event["job"]),
        inputs=[InputDataset(**item) for item in event["inputs"]],
        outputs=[OutputDataset(**item) for item in event["outputs"]],
    )
    assert json.loads(Serde.to_json(made)) == event
    for side in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        for facets in (side.get("facets", {}), side.get("inputFacets", {}), side.get("outputFacets", {})):
            for facet in facets.values():
                assert facet["_producer"] and facet["_schemaURL"].startswith("https://openlineage.io/spec/")
print("all")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(told.folder / "events.jsonl")],
        env=os.environ | told.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "all\n", done.stderr[-2000:]


def test_columns_that_are_said_to_be_unchanged_are(told: Told) -> None:
    for table, sources in UNCHANGED.items():
        for source, columns in sources.items():
            before = {row["doc_id"]: row for row in rows(told.lake, source)}
            after = rows(told.lake, table)
            assert after or table == "rejected"
            for row in after:
                assert {name: row[name] for name in columns} == {
                    name: before[row["doc_id"]][name] for name in columns
                }, (table, source)


LABEL = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"(?P<name>[a-z_]+)\{{(?P<labels>{LABEL}(?:,{LABEL})*)\}} (?P<value>[0-9.e+-]+)")


def test_figures_are_in_prometheus_format(told: Told) -> None:
    text = (told.folder / "ringlake.prom").read_text()
    assert text.endswith("\n")
    family, seen, found = "", set(), {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in seen
            seen.add(family)
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {family} gauge"
        else:
            match = SAMPLE.fullmatch(line)
            assert match and match["name"] == family, line
            key = (family, match["labels"])
            assert key not in found
            found[key] = float(match["value"])
    summary = json.loads((told.folder / "first.json").read_text())
    for stage in summary["stages"]:
        labels = f'run="small",stage="{stage["stage"]}",unit="{stage["unit"]}",rows="in"'
        assert found["ringlake_stage_rows", labels] == stage["rows_in"]
    assert found["ringlake_run_succeeded", 'run="small"'] == 1


def test_again_failed_and_interrupted(told: Told) -> None:
    summary = str(told.folder / "summary.json")
    with receiver() as there:
        told.again("--summary", summary, "--openlineage", there.url)
        # Nothing had to be done: the run alone begins and ends.
        assert [event["eventType"] for event in there.events] == ["START", "COMPLETE"]
    assert [stage["state"] for stage in told.summary()["stages"]] == ["up to date"] * 4
    lines = (told.folder / "corpus.jsonl").read_text().splitlines()
    assert told.summary()["stages"][0]["rows_in"] == len(lines)

    with receiver() as there:
        told.again("--summary", summary, "--openlineage", there.url,
                   "--set", "ingest.inputs=[nowhere/at-all.jsonl]", code=3)  # fmt: skip
        ends = [event for event in there.events if event["eventType"] == "FAIL"]
        assert [event["job"]["name"] for event in ends] == ["small.ingest", "small"]
        assert "nowhere/at-all.jsonl" in ends[-1]["run"]["facets"]["errorMessage"]["message"]
    found = told.summary()
    assert found["state"] == "failed" and "nowhere/at-all.jsonl" in found["error"]
    assert [stage["state"] for stage in found["stages"]] == ["failed", *["not reached"] * 3]


def test_a_library_that_is_absent_is_named(told: Told) -> None:
    done = ringlake(*told.words, "--openlineage", "x", code=4, env={"PYTHONPATH": str(ROOT)})
    assert done.stderr.splitlines()[-1].endswith("pip install 'ringlake[lineage]'")
