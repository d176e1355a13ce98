"""A host whose name leads to loopback, with Horovod as its makers publish it and as set-up mends it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from pipelines.setup import horovod_build
from pipelines.setup.errors import SetupError
from training.errors import TrainingError
from training.launch import host_name

# The lines that matter, as the source has them.
SOURCE = """
void GlooContext::Initialize(const std::string& gloo_iface) {
  device_attr.iface = gloo_iface_;
}
void GlooContext::InitializeForProcessSet(const GlooContext& global_context,
                                          const std::vector<int>& registered_ranks) {
  device_attr.iface = gloo_iface_;
}
"""


def source(folder: Path, text: str = SOURCE) -> Path:
    path = folder / "horovod" / "common" / "gloo" / "gloo_context.cc"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (folder / "horovod" / "__init__.py").write_text("__version__ = '0.28.1'\n")
    return path


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package in a folder is the Horovod of this process."""
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "horovod"]:
        monkeypatch.delitem(sys.modules, name)


def test_only_the_process_sets_are_mended(tmp_path: Path) -> None:
    path = source(tmp_path)
    horovod_build.mend(tmp_path)
    before, _, after = path.read_text().partition("InitializeForProcessSet")
    assert "device_attr.iface = gloo_iface_;" in before
    assert "device_attr.iface = global_context.gloo_iface_;" in after


@pytest.mark.parametrize("text", ["", SOURCE.replace("gloo_iface_;", "iface;"), SOURCE * 2])
def test_another_source_is_refused_unchanged(tmp_path: Path, text: str) -> None:
    path = source(tmp_path, text)
    with pytest.raises(SetupError, match="not as expected"):
        horovod_build.mend(tmp_path)
    assert path.read_text() == text


def test_the_names_are_the_same() -> None:
    assert host_name.MENDED == horovod_build.MENDED


@pytest.mark.parametrize("led", ["127.0.1.1", ""])
def test_a_name_that_leads_to_loopback_is_told_unless_horovod_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, led: str
) -> None:
    def lookup(name: str) -> str:
        if not led:
            raise socket.gaierror(-2, "Name or service not known")
        return led

    source(tmp_path)
    installed(tmp_path, monkeypatch)
    monkeypatch.setattr(socket, "gethostname", lambda: "worker-7")
    monkeypatch.setattr(socket, "gethostbyname", lookup)
    with pytest.raises(TrainingError, match=r"worker-7 leads .*reach it as 10\.0\.0\.7.*ringlake setup"):
        host_name.check_host_name("10.0.0.7")
    horovod_build.mend(tmp_path)
    host_name.check_host_name("10.0.0.7")


def test_another_address_may_be_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source(tmp_path)
    installed(tmp_path, monkeypatch)
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "192.0.2.7")
    host_name.check_host_name("10.0.0.7")
