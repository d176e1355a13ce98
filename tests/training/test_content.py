"""What a model starts from is known by content; what a killed process left is removed, nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conf.model import ModelConfig
from ringlake.base import hashing
from ringlake.base.hashing import file_hash
from ringlake.base.scratch import scratch_folder
from ringlake.base.storage import Folder
from training.errors import DataError
from training.models.content import start_content


def test_a_base_model_is_known_by_what_loading_it_reads(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    model = ModelConfig(pretrained=str(tmp_path))
    first = start_content(model)
    assert first.keys() == {"model.pretrained.content"}
    (tmp_path / "README.md").write_text("read by nobody")
    assert start_content(model) == first
    status = (tmp_path / "model.safetensors").stat()
    (tmp_path / "model.safetensors").write_bytes(b"Weights")
    os.utime(tmp_path / "model.safetensors", ns=(status.st_atime_ns, status.st_mtime_ns))
    second = start_content(model)
    assert second != first
    (tmp_path / "model.safetensors").rename(tmp_path / "part.safetensors")
    assert start_content(model) not in (first, second)
    assert start_content(ModelConfig()) == {}


def test_vectors_are_known_by_content_on_any_file_system(tmp_path: Path) -> None:
    for place in (str(tmp_path), f"memory://content{tmp_path}"):
        folder = Folder(place)
        folder.write("v.safetensors", b"one")
        model = ModelConfig(embeddings=f"{place}/v.safetensors")
        first = start_content(model)
        folder.write("v.safetensors", b"two")
        assert start_content(model) != first


@pytest.mark.parametrize("key", ["pretrained", "embeddings"])
def test_what_is_not_there_is_named_with_its_key(key: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"model\.{key} = .*cannot be loaded"):
        start_content(ModelConfig(**{key: str(tmp_path / "nowhere")}))


def test_a_large_file_is_read_again_as_soon_as_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "LARGE_BYTES", 4)
    folder = Folder(str(tmp_path))
    folder.write("large", b"first")
    first = file_hash(folder, "large")
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "open", lambda *_given: pytest.fail("it is known"))
        assert file_hash(folder, "large") == first
    status = (tmp_path / "large").stat()
    (tmp_path / "new").write_bytes(b"other")
    os.utime(tmp_path / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "new").rename(tmp_path / "large")
    assert file_hash(folder, "large") != first


HOLDER = """
import sys, time
from pathlib import Path
from ringlake.base.scratch import scratch_folder
with scratch_folder("ringlake-model-", Path(sys.argv[1])) as place:
    (place / "model.safetensors").write_bytes(b"half")
    print(place.name, flush=True)
    sys.stdin.read()
"""


def test_a_scratch_folder_outlives_no_owner_and_nobody_elses_goes(tmp_path: Path) -> None:
    (tmp_path / "ringlake-model-2026").mkdir()
    (tmp_path / "ringlake-model-abcdefgh.tmp").symlink_to(tmp_path / "ringlake-model-2026")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdin
    left = tmp_path / holder.stdout.readline().strip()
    with scratch_folder("ringlake-model-", tmp_path) as own:
        assert left.is_dir()
        assert own.is_dir()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()
        assert left.is_dir()
        with scratch_folder("ringlake-model-", tmp_path) as another:
            assert not left.exists()
            assert own.is_dir()
            assert another != own
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ringlake-model-2026",
        "ringlake-model-abcdefgh.tmp",
    ]


@pytest.mark.parametrize("store", ["disk", "memory"])
def test_what_a_killed_export_left_beside_the_model_goes(store: str, tmp_path: Path) -> None:
    root = Folder(str(tmp_path / "lake") if store == "disk" else f"memory://export{tmp_path}")
    for name in ("model.new-0123abcd", "model.new-mine", "models.new-0123abcd", "model"):
        root.child(name).create()
        root.child(name).write("config.json", b"{}")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "config.json").write_bytes(b"new")
    root.child("model").replace_by(tmp_path / "made")
    assert root.names() == ["model", "model.new-mine", "models.new-0123abcd"]
    assert root.child("model").read("config.json") == b"new"
