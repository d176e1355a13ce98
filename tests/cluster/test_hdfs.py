"""The file operations that lakes and checkpoints need, on a real HDFS through hdfs-native."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pyspark.sql import SparkSession

from conf.ingest import IngestConfig
from pipelines.errors import EnvironmentProblem, InputError
from pipelines.ingest import discover, fingerprint, ingest
from pipelines.lake import Lake
from pipelines.lake.lease import LOCK_FILE, held_by_lease
from ringlake.base.storage import Folder
from tests.support.hadoop import MiniHadoop
from tests.training.tables import random_tokens, write_sequences
from training.checkpoints.checkpoint import Checkpoint, load_latest, save_checkpoint
from training.data.layout import read_layout
from training.data.reader import SequenceReader
from training.data.schedule import sequential_schedule
from training.data.snapshot import DataFile
from training.logs.metrics import MetricsLog, read_metrics

pytestmark = [pytest.mark.cluster]


@pytest.fixture
def folder(hadoop: MiniHadoop, request: pytest.FixtureRequest) -> Iterator[Folder]:
    place = Folder(f"{hadoop.uri}/files/{request.node.name}")
    place.create()
    yield place
    place.remove()
    assert not place.is_folder()


def test_files_are_replaced_whole_and_created_once(folder: Folder) -> None:
    folder.write("a", b"one")
    folder.replace("a", b"two")
    assert (folder.read("a"), folder.size("a"), folder.names()) == (b"two", 3, ["a"])
    assert folder.create_exclusively("b", b"x")
    assert not folder.create_exclusively("b", b"y")
    assert folder.read("b") == b"x"
    folder.delete("b")
    folder.delete("b")
    assert not folder.exists("b")


def test_a_folder_is_replaced_by_a_local_one_and_copied_back(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"1")
    target = folder.child("model")
    target.replace_by(tmp_path)
    (tmp_path / "weights").write_bytes(b"2")
    (tmp_path / "more").write_bytes(b"3")
    target.replace_by(tmp_path)
    assert folder.names() == ["model"]
    with target.as_local() as copy:
        assert {path.name: path.read_bytes() for path in copy.iterdir()} == {"weights": b"2", "more": b"3"}


def test_checkpoints_are_whole_kept_and_pruned(folder: Folder) -> None:
    for step in (10, 20, 30):
        tensors = {"w": torch.full((3,), float(step))}
        save_checkpoint(folder, Checkpoint(step, tensors, tensors, {"identity": {}}), keep=2)
    assert folder.names() == ["step-000000020", "step-000000030"]
    folder.child("step-000000030").write("model.safetensors", b"damaged")
    said: list[str] = []
    found = load_latest(folder, {}, said.append)
    assert found is not None
    assert (found.step, found.model["w"][0].item()) == (20, 20.0)
    assert "step-000000030 is damaged" in said[0]


def test_the_log_is_stored_before_a_checkpoint_and_cut_on_resume(folder: Folder) -> None:
    log = MetricsLog(folder, 0)
    for step in (1, 2, 3):
        log.write({"step": step})
    log.store()
    log.write({"step": 4})  # a kill -9 here loses this line, whose step is done again
    again = MetricsLog(folder, 2)
    again.write({"step": 3})
    again.close()
    assert [line["step"] for line in read_metrics(folder)] == [1, 2, 3]


def test_a_client_of_hdfs_does_not_keep_this_process_from_starting_programs(folder: Folder) -> None:
    folder.write("a", b"")
    done = subprocess.run([sys.executable, "-c", "print(1)"], preexec_fn=os.getpid, timeout=60, check=True)
    assert done.returncode == 0


def test_the_reader_of_training_streams_from_hdfs(folder: Folder, tmp_path: Path) -> None:
    snapshot = write_sequences(tmp_path / "t", random_tokens(40, 16, 64))
    remote = []
    for number, file in enumerate(snapshot.files):
        folder.write(f"{number}.parquet", Path(file.path).read_bytes())
        remote.append(DataFile(f"{folder.location}/{number}.parquet", file.num_rows))
    layout = read_layout(replace(snapshot, files=tuple(remote)))
    schedule = sequential_schedule(layout.num_sequences, 8, layout.block_rows, 0, 1)
    with SequenceReader(layout, schedule, snapshot.vocab_size) as reader:
        ids = [int(number) for batch in reader for number in batch.sequence_ids]
    assert ids == list(range(40))


def test_ingest_reads_a_glob_on_hdfs_as_on_a_local_disk(
    folder: Folder, tmp_path: Path, spark: SparkSession
) -> None:
    lines = [json.dumps({"id": i, "text": f"the harbour master's entry {i}"}) for i in range(4000)]
    lines[2500] = '{"text": '
    files = {
        "2024/a.jsonl.gz": gzip.compress("\n".join(lines).encode()),
        "2024/b.txt": b"one\r\n\r\ntwo",
        "2025/large.jsonl": "\n".join(lines).encode(),
        "2025/cut.jsonl.gz": gzip.compress("\n".join(lines).encode())[:-9],
        "2025/.hidden.txt": b"hidden",
        "other/c.txt": b"not asked for",
    }
    found = []
    for name, content in files.items():
        place = folder.child(name.rpartition("/")[0])
        place.create()
        place.write(name.rpartition("/")[2], content)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for root in (folder.location, f"file://{tmp_path}"):
        config = IngestConfig(inputs=(f"{root}/202?/*",), split_bytes=2**16)
        output = ingest(spark, config)
        tables = {name: frame.collect() for name, frame in output.tables.items()}
        found.append({name: sorted(map(str, rows)) for name, rows in tables.items()})
        assert output.details["fingerprint"] == fingerprint(discover(config))
        assert output.details["num_files"] == 4
    assert found[0] == found[1]
    assert len(found[0]["documents"]) == 2 * 3999 + 2
    folder.child("2024").write("b.txt", b"three")
    remote = IngestConfig(inputs=(f"{folder.location}/202?/*",))
    assert {file.source: file.version for file in discover(remote)}["2024/b.txt"].startswith("modification")
    with pytest.raises(InputError, match=r"hdfs://.*/nothing/.* matches no file"):
        discover(IngestConfig(inputs=(f"{folder.location}/nothing/*.txt",)))


def test_a_lease_is_held_by_one_and_taken_over_when_its_holder_is_gone(folder: Folder) -> None:
    with (
        held_by_lease(folder, renew_seconds=0.2),
        pytest.raises(EnvironmentProblem, match=r"another ringlake \(process \d+ on"),
        held_by_lease(folder),
    ):
        pass
    assert not folder.exists(LOCK_FILE)
    program = "import sys,time\nfrom pipelines.lake.lease import held_by_lease\n"
    program += "from ringlake.base.storage import Folder\nwith held_by_lease(Folder(sys.argv[1])):\n"
    program += "    print('held', flush=True)\n    time.sleep(600)\n"
    holder = subprocess.Popen(
        [sys.executable, "-c", program, folder.location], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    began = time.monotonic()
    with held_by_lease(folder, expire_seconds=2):
        assert time.monotonic() - began >= 2
        assert folder.exists(LOCK_FILE)
    assert not folder.exists(LOCK_FILE)


def test_a_damaged_lease_is_taken_over(folder: Folder) -> None:
    folder.write(LOCK_FILE, b'{"token": "cut sh')
    with held_by_lease(folder, expire_seconds=1):
        assert b'"token"' in folder.read(LOCK_FILE)
    assert folder.names() == []


def test_a_lease_outlives_an_error_of_the_file_system(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original, calls = Folder.replace, []

    def fail_once(self: Folder, name: str, content: bytes) -> None:
        calls.append(name)
        if len(calls) == 1:
            raise RuntimeError("the client has lost its connection")
        original(self, name, content)

    monkeypatch.setattr(Folder, "replace", fail_once)
    with held_by_lease(folder, renew_seconds=0.2):
        deadline = time.monotonic() + 30
        while b'"beat": 3' not in folder.read(LOCK_FILE) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert b'"beat": 3' in folder.read(LOCK_FILE)
    assert (
        "could not be renewed (RuntimeError: the client has lost its connection)" in capsys.readouterr().err
    )


def test_a_lake_that_cannot_be_written_is_one_clear_error(folder: Folder) -> None:
    folder.write("file", b"in the way")
    with pytest.raises(EnvironmentProblem, match=r"the lake hdfs://\S+/file/lake cannot be written to"):
        Lake.at(f"{folder.location}/file/lake").create()
