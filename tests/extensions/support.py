"""Packages that extend ringlake as real distributions: those of the guide, and small made-up ones."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.docs.blocks import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")

_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def write_packages(folder: Path) -> list[str]:
    """Writes the files that the guide names, and returns the names of the packages' folders."""
    named = [block for block in blocks(PAGE) if block.name]
    for block in named:
        path = folder / block.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    return list(dict.fromkeys(block.name.partition("/")[0] for block in named if "/" in block.name))


def install(package: Path, site: Path) -> None:
    """Builds the wheel of a package with its own build backend and unpacks it, as an installer does."""
    wheels = package / "dist"
    wheels.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, str(wheels)], cwd=package, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)


def distribution(
    site: Path, name: str, version: str, entries: Mapping[str, Mapping[str, str]], **modules: str
) -> None:
    """An installed distribution of the given modules without a list of its files, as an editable one is."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    sections = (
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in items.items())
        for group, items in entries.items()
    )
    (info / "entry_points.txt").write_text("\n".join(sections))
    for module, text in modules.items():
        (site / f"{module}.py").write_text(text)
