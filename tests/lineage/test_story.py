"""Who watches a run is told of every end it can have, and cannot end it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import EnvironmentProblem, InputError
from pipelines.lineage.place import Place
from pipelines.lineage.prometheus import PrometheusWriter
from pipelines.lineage.summary import SummaryWriter
from pipelines.run.story import RunStory, StageStory, Teller, Watcher


class Noting:
    """Notes what it is told; raises where it is asked to."""

    def __init__(self, raises: str = "") -> None:
        self.told: list[str] = []
        self._raises = raises

    def _note(self, what: str) -> None:
        self.told.append(what)
        if what.startswith(self._raises) and self._raises:
            raise OSError(28, "No space left on device")

    def require(self) -> None:
        """It can always write."""

    def run_begins(self, run: RunStory) -> None:
        self._note("run begins")

    def stage_begins(self, run: RunStory, stage: StageStory) -> None:
        self._note(f"{stage.name} begins")

    def stage_ends(self, run: RunStory, stage: StageStory) -> None:
        self._note(f"{stage.name} {stage.state}")

    def run_ends(self, run: RunStory) -> None:
        self._note(f"run {run.state}")


def teller(watchers: list[Watcher], said: list[str]) -> Teller:
    return Teller(RunStory("a", "lake", [StageStory("ingest"), StageStory("clean")]), watchers, said.append)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, "succeeded"),
        (InputError("there is nothing"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_every_end_is_told(error: BaseException | None, state: str) -> None:
    noting = Noting()
    telling = teller([noting], [])

    def run() -> None:
        with telling.telling(), telling.telling_of("ingest", {}):
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    assert noting.told == ["run begins", "ingest begins", f"ingest {state}", f"run {state}"]
    assert telling.run.error == (str(error) if state == "failed" else None)
    assert [stage.state for stage in telling.run.stages] == [state, "not reached"]


def test_a_watcher_that_fails_later_is_a_line(tmp_path: Path) -> None:
    said: list[str] = []
    other = Noting()
    telling = teller([Noting("ingest"), other], said)
    with telling.telling(), telling.telling_of("ingest", {}):
        pass
    assert said == ["note: Noting could not write: [Errno 28] No space left on device"] * 2
    assert other.told[-1] == "run succeeded"


@pytest.mark.parametrize("writer", [SummaryWriter, PrometheusWriter])
@pytest.mark.parametrize("place", ["nowhere/file", "."])
def test_a_place_that_cannot_be_written_keeps_a_run_from_beginning(
    tmp_path: Path, writer: type[SummaryWriter] | type[PrometheusWriter], place: str
) -> None:
    telling = teller([writer(Place("--summary", str(tmp_path / place)))], [])
    refused = pytest.raises(EnvironmentProblem, match=r"--summary .* cannot be written .*name another file")
    with refused, telling.telling():
        raise AssertionError("it has begun")
    assert list(tmp_path.iterdir()) == []


def test_one_that_cannot_write_leaves_what_the_others_wrote_before(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    file.write_text("of the run before")
    good, bad = (SummaryWriter(Place("--summary", str(path))) for path in (file, tmp_path / "no" / "file"))
    refused = pytest.raises(EnvironmentProblem, match="cannot be written")
    with refused, teller([good, bad], []).telling():
        raise AssertionError("it has begun")
    assert file.read_text() == "of the run before"


def test_no_secret_of_a_url_is_told() -> None:
    telling = teller([], [])
    with pytest.raises(ValueError, match="secret"), telling.telling(), telling.telling_of("ingest", {}):
        raise ValueError("cannot open https://me:secret@host/a?signature=1")
    told = [telling.run.error, telling.run.stages[0].error]
    assert told == ["cannot open https://host/a"] * 2


def test_what_a_killed_run_leaves_is_whole(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    file = tmp_path / "summary.json"
    story = RunStory("a", str(tmp_path), [StageStory("ingest"), StageStory("clean")])
    telling = Teller(story, [SummaryWriter(Place("--summary", str(file)))], print)
    with telling.telling(), telling.telling_of("ingest", {}):
        found = json.loads(file.read_text())
    assert found["state"] == "running"
    assert [stage["state"] for stage in found["stages"]] == ["running", "not reached"]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["summary.json"]
