"""What notebooks show: facts of the real lake, and nothing of a corpus as markup."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from deltalake import write_deltalake

import ringlake
from ringlake.display import grid, megabytes, panel, shown

HOSTILE = "<script>alert(1)</script>\u202e & 'x'"


def texts(html: str) -> list[str]:
    """The texts of all cells; the HTML is well-formed."""
    return ["".join(cell.itertext()) for cell in ElementTree.fromstring(f"<p>{html}</p>").iter("td")]


def test_text_is_never_markup() -> None:
    for html in (panel(HOSTILE, {HOSTILE: HOSTILE}), grid(HOSTILE, [HOSTILE], [[HOSTILE], [3]])):
        assert "<script" not in html
        assert "\u202e" not in html
        assert any("alert(1)" in text for text in texts(html))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "yes"), (1234567, "1,234,567"), (0.123456, "0.1235"), (1e6, "1,000,000"), ("a", "a")],
)
def test_values(value: object, text: str) -> None:
    assert shown(value) == text


def test_sizes() -> None:
    assert [megabytes(size) for size in (9, 1500, 2_500_000, 10**10)] == [
        "9 bytes",
        "1.5 kB",
        "2.5 MB",
        "10.0 GB",
    ]


def test_a_lake_its_tables_and_runs(small_lake: Path) -> None:
    lake = ringlake.open_lake(small_lake)
    cells = texts(lake._repr_html_())
    corpus = lake.table("corpus")
    assert cells[cells.index("corpus") + 1] == f"{corpus.num_rows:,}"
    html = corpus._repr_html_()
    assert f"version {corpus.version}: {corpus.num_rows:,} rows" in html
    assert len(texts(html)) == 5 * len(corpus.columns)
    for name in lake.tables:
        texts(lake.table(name)._repr_html_())
    runs = lake.runs()
    cells = texts(runs._repr_html_())
    assert cells[0] == runs[0].stage and len(cells) == 8 * len(runs)
    packed = next(run for run in runs if run.stage == "pack")
    assert f"{packed.rows_in:,}" in texts(packed._repr_html_())


def test_a_row_of_a_table_is_text(tmp_path: Path) -> None:
    write_deltalake(str(tmp_path / "tables" / "documents"), pa.table({"text": [HOSTILE, "a" * 1000, None]}))
    html = ringlake.open_lake(tmp_path).table("documents")._repr_html_()
    assert "<script" not in html
    assert len(html) < 2000


def test_a_training_and_its_checkpoints(small_lake: Path) -> None:
    (training,) = ringlake.open_lake(small_lake).trainings()
    metrics = training.metrics()
    assert training.has_ended and training.steps == len(metrics) == metrics["step"].max()
    saved = training.checkpoints()
    assert saved and saved[-1].step == training.steps
    assert all(item.is_whole and item.num_bytes > 0 for item in saved)
    assert saved[-1].loss == metrics.iloc[-1]["loss"]
    assert f"of {training.steps:,}" in "".join(texts(training._repr_html_()))
    assert texts(saved._repr_html_())[0] == f"{saved[0].step:,}"


def test_a_torn_checkpoint_is_told(small_lake: Path, tmp_path: Path) -> None:
    shutil.copytree(small_lake / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "tables").mkdir()
    (training,) = ringlake.open_lake(tmp_path).trainings()
    newest = max((tmp_path / "checkpoints").glob("*/step-*"))
    next(newest.glob("model*.safetensors")).unlink()
    assert [saved.is_whole for saved in training.checkpoints()][-1] is False


def test_a_training_is_watched_while_it_writes_until_it_ends(
    small_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import IPython.display

    whole = next((small_lake / "checkpoints").iterdir())
    folder = tmp_path / "checkpoints" / whole.name
    folder.mkdir(parents=True)
    (tmp_path / "tables").mkdir()
    lines = (whole / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_bytes(lines[0])
    drawn: list[int] = []

    class Handle:
        def update(self, chart: object) -> None:
            drawn.append(points(chart))

    def points(chart: Any) -> int:
        return len(chart.data)

    def display(chart: object, display_id: bool) -> Handle:
        drawn.append(points(chart))
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    (training,) = ringlake.open_lake(tmp_path).trainings()
    watching = threading.Thread(target=training.watch, kwargs={"every": 0.05}, daemon=True)
    watching.start()
    deadline = time.monotonic() + 60
    while not drawn:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (folder / "metrics.jsonl").write_bytes(b"".join(lines))
    while drawn[-1] <= drawn[0]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert watching.is_alive()
    last = max(whole.glob("step-*"))
    shutil.copytree(last, folder / last.name)
    watching.join(60)
    assert not watching.is_alive()
    assert drawn == sorted(drawn)


def test_a_plan(small_lake: Path) -> None:
    plan = ringlake.Sequences(small_lake, batch_size=4, shards=2)
    cells = texts(plan._repr_html_())
    assert f"{plan.steps_per_epoch:,}" in cells and f"{plan.num_sequences:,}" in cells


def test_a_model_is_asked(small_lake: Path) -> None:
    model = ringlake.open_lake(small_lake).model
    assert model == ringlake.open_model(small_lake) == ringlake.open_model(small_lake / "model")
    assert model.verb == "generate" and model.num_weights > 0
    assert f"{model.num_weights:,}" in "".join(texts(model._repr_html_()))
    answers = model.ask("Return", {"prompt": 3}, {"prompt": "The"}, max_new_tokens=5, temperature=0)
    assert answers[0].value and answers[0].reason is None
    assert answers[1].value is None and "not_text" in str(answers[1].reason)
    assert answers == model.ask("Return", {"prompt": 3}, "The", max_new_tokens=5, temperature=0)
    assert len(texts(answers._repr_html_())) == 6
    with pytest.raises(ringlake.RinglakeError, match="no option 'beamz'"):
        model.ask("The", beamz=3)


def test_what_is_no_model_of_ours_is_told(small_lake: Path, tmp_path: Path) -> None:
    with pytest.raises(ringlake.RinglakeError, match="there is no model of ringlake"):
        ringlake.open_model(tmp_path)
    folder = shutil.copytree(small_lake / "model", tmp_path / "model")
    (Path(folder) / "tokenizer.json").unlink()
    with pytest.raises(ringlake.RinglakeError, match="is not whole"):
        ringlake.open_model(folder)
