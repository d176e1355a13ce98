"""The log has every step once; hashes of ranks' parts make the hash of the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringlake.base.storage import Folder
from training.logs.metrics import METRICS_FILE, MetricsLog, combine_hashes, hash_ids, read_metrics
from training.logs.progress import Progress, duration


def write(folder: Folder, last_step: int, steps: range, run: int) -> None:
    log = MetricsLog(folder, last_step)
    for step in steps:
        log.write({"step": step, "run": run})
    log.close()


def test_steps_after_the_checkpoint_are_cut_so_that_none_is_there_twice(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "log"))
    write(folder, 0, range(1, 8), run=1)
    write(folder, 4, range(5, 9), run=2)
    assert [(line["step"], line["run"]) for line in read_metrics(folder)] == [
        (1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2), (7, 2), (8, 2)
    ]  # fmt: skip


def test_a_new_training_starts_an_empty_log(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    write(folder, 0, range(1, 4), run=1)
    write(folder, 0, range(1, 2), run=2)
    assert read_metrics(folder) == [{"step": 1, "run": 2}]


def test_a_line_cut_by_a_crash_is_dropped(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    write(folder, 0, range(1, 4), run=1)
    with (tmp_path / METRICS_FILE).open("ab") as file:
        file.write(b'{"step": 4, "ru')
    write(folder, 10, range(11, 12), run=2)
    assert [line["step"] for line in read_metrics(folder)] == [1, 2, 3, 11]


def test_where_nothing_can_be_appended_the_log_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on HDFS, once the DataNode is lost that the last append went to; here a store in memory refuses."""
    folder = Folder("memory://log-without-append")
    write(folder, 0, range(1, 4), run=1)

    def refuse(self: Folder, name: str, content: bytes) -> None:
        raise FileExistsError("already the current lease holder")

    monkeypatch.setattr(Folder, "append", refuse)
    write(folder, 2, range(3, 9), run=2)
    assert [(line["step"], line["run"]) for line in read_metrics(folder)] == [
        (1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2), (7, 2), (8, 2)
    ]  # fmt: skip
    folder.remove()


@given(ids=st.lists(st.integers(0, 2**40), unique=True, max_size=40), cut=st.integers(0, 40))
def test_parts_of_a_batch_add_up_to_its_hash(ids: list[int], cut: int) -> None:
    whole = combine_hashes(float(hash_ids(np.array(ids, dtype=np.int64))))
    parts = [np.array(part, dtype=np.int64) for part in (ids[:cut], ids[cut:])]
    assert combine_hashes(sum(float(hash_ids(part)) for part in parts)) == whole


def test_other_batches_have_other_hashes() -> None:
    hashes = {combine_hashes(hash_ids(np.arange(start, start + 8))) for start in range(5000)}
    hashes |= {combine_hashes(hash_ids(np.array([0, other]))) for other in range(1, 5000)}
    assert len(hashes) == 5000 + 4999


def test_durations_read_like_speech() -> None:
    assert [duration(s) for s in (0.4, 48, 60, 185, 3600, 7860)] == [
        "0 s", "48 s", "1 min 00 s", "3 min 05 s", "1 h 00 min", "2 h 11 min"
    ]  # fmt: skip


def test_a_progress_line_has_place_loss_rate_and_time_left() -> None:
    lines: list[str] = []
    event = {
        "type": "step", "step": 40, "steps": 400, "epoch": 0, "loss": 3.21456, "lr": 0.003,
        "tokens_per_second": 21034.4, "data_wait_share": 0.0042, "eta_seconds": 185.2,
    }  # fmt: skip
    Progress(lines.append)(0, event)
    Progress(lines.append)(0, {"type": "unknown"})
    assert lines == [
        "train: step 40/400 (epoch 0)  loss 3.2146  lr 3.00e-03  21,034 tokens/s  waiting for data 0.4%  "
        "ETA 3 min 05 s"
    ]
