"""ringlake on top of a cluster's own packages: it can be had, and nothing of the cluster's is replaced."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).with_name("databricks-18-lts-ml.txt")
SHARED = ROOT.parent / "shared" / "data" / "databricks" / "runtime-18-lts-ml.txt"
PYTHON = "3.12"
OUT_OF_REACH = re.compile(
    r"error sending request|dns error|connection (refused|reset)|timed out|client error|status code: 5", re.I
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def versions(text: str) -> dict[str, str]:
    """Versions by name in what `uv pip compile` or a file of pins says."""
    found = re.findall(r"^([A-Za-z0-9._-]+)[=~]=([^\s;]+)", text, re.MULTILINE)
    return {canonical(name): version for name, version in found}


def solve(*more: str) -> subprocess.CompletedProcess[str]:
    uv = Path(sys.prefix, "bin", "uv")
    program = str(uv) if uv.is_file() else shutil.which("uv")
    if program is None:
        pytest.skip("there is no uv here to ask for a solution")
    # The interpreter need not be here: uv would look for one to download.
    env = os.environ | {"UV_PYTHON_DOWNLOADS": "never", "UV_HTTP_TIMEOUT": "60"}
    options = ["--python-version", PYTHON, "--constraint", str(PINS), "--no-annotate", "--no-header"]
    command = [program, "pip", "compile", *options, *more, "pyproject.toml"]
    # What uv has seen before is asked first: the index is slow where its answers must not be kept.
    for place in (["--offline"], []):
        done = subprocess.run(
            [*command, *place], cwd=ROOT, env=env, capture_output=True, text=True, timeout=500, check=False
        )
        if done.returncode == 0:
            return done
    if OUT_OF_REACH.search(done.stderr):
        pytest.skip(f"the index of packages cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    return done


@pytest.mark.timeout(900)
def test_the_wheel_resolves_on_top_of_the_runtime_and_replaces_nothing() -> None:
    done = solve("--extra", "tracking", "--extra", "tasks", "--extra", "lora")
    assert done.returncode == 0, done.stderr
    chosen, pinned = versions(done.stdout), versions(PINS.read_text(encoding="utf-8"))
    changed = {name: version for name, version in chosen.items() if pinned.get(name, version) != version}
    assert changed == {}
    assert len(chosen.keys() & pinned.keys()) > 40
    assert chosen.keys().isdisjoint({"pyspark", "delta-spark", "petastorm", "horovod"})


def test_petastorms_own_requirements_do_not_fit_the_runtime() -> None:
    """Why it is an extra: once they fit, it can be asked for like any other package."""
    asked = {
        canonical(one.name): one.specifier for one in map(Requirement, metadata.requires("petastorm") or [])
    }
    pinned = versions(PINS.read_text(encoding="utf-8"))
    assert not asked["setuptools"].contains(pinned["setuptools"])


def test_requirements_include_the_newest_versions_and_those_of_the_runtime() -> None:
    """What both ends have must be allowed; that both ends work, the suite and `make test-runtimes` show."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ends = [versions((ROOT / "constraints.txt").read_text(encoding="utf-8")), versions(PINS.read_text())]
    outside = [
        f"{line}: {end[name]}"
        for line in project["dependencies"]
        for end in ends
        if (name := canonical(Requirement(line).name)) in end
        and not Requirement(line).specifier.contains(end[name])
    ]
    assert outside == []


def test_the_pins_are_those_of_the_vendors_list() -> None:
    if not SHARED.is_file():
        pytest.skip(f"the list of the runtime's packages is not at {SHARED}")
    assert versions(PINS.read_text(encoding="utf-8")) == versions(SHARED.read_text(encoding="utf-8"))
