"""The bundle: our code is importable from its zip, the environment works where it is unpacked."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

from pipelines.bundle.build import build_bundle, submit_command
from pipelines.bundle.code import write_code
from pipelines.run.version import code_version

ASK_CODE = """
import pipelines, sys
from conf import load
from pipelines.report.pages import page_environment
from pipelines.run.version import code_version
assert pipelines.__file__.startswith(sys.argv[1]), pipelines.__file__
assert load("conf/runs/python-docs.yaml").name == "python-docs"
PAGES = (
    *(("report", "style.css"), ("report", "template.html.jinja")),
    *(("compare", "compare.html.jinja"), ("forget", "report.html.jinja")),
)
for package, name in PAGES:
    pages = page_environment(f"pipelines.{package}")
    assert pages.loader.get_source(pages, name)[0], name
print(code_version())
"""


def test_the_zip_is_importable_and_has_the_version_of_its_sources(tmp_path: Path) -> None:
    code = tmp_path / "code.zip"
    write_code(code)
    told = subprocess.run(
        [sys.executable, "-c", ASK_CODE, str(code)],
        env={"PYTHONPATH": str(code), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == code_version()


def test_equal_sources_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_code(tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_environment_works_where_it_is_unpacked(tmp_path: Path) -> None:
    home = tmp_path / "env"
    venv.create(home, with_pip=False)
    packages = next((home / "lib").glob("python3*")) / "site-packages"
    (packages / "thing.py").write_text("import ssl, sqlite3\nvalue = 7\n")
    (packages / "__editable__.ringlake.pth").write_text("/nowhere\n")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
        "from pipelines.bundle.environment import write_environment;"
        "write_environment(Path(sys.argv[2]), print)"
    )
    root = str(Path(__file__).resolve().parents[2])
    archive = tmp_path / "environment.tar.gz"
    subprocess.run([home / "bin" / "python", "-c", program, root, archive], check=True, capture_output=True)
    (home / "bin" / "python").unlink()
    unpacked = tmp_path / "elsewhere"
    with tarfile.open(archive) as content:
        content.extractall(unpacked, filter="fully_trusted")
    ask = "import sys, thing, json, ssl; print(sys.prefix, thing.value, json.__file__)"
    told = subprocess.run(
        [unpacked / "bin" / "python", "-c", ask],
        env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(unpacked / "lib")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    prefix, value, module = told.stdout.split()
    assert (os.path.realpath(prefix), value) == (os.path.realpath(unpacked), "7")
    assert module.startswith(str(unpacked))
    assert not list(unpacked.rglob("*editable*"))


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_the_printed_command_ships_what_was_made(tmp_path: Path, mode: str) -> None:
    made = build_bundle(tmp_path / "bundle", lambda _line: None, environment=False)
    for kind in ("main", "code"):
        assert Path(made[kind]).is_file()
    assert all(Path(jar).is_file() for jar in made["jars"].split(","))
    command = submit_command(made | {"environment": "env.tar.gz"}, deploy_mode=mode, arguments="status")
    assert f"--py-files {made['code']}" in command
    assert f"--jars {made['jars']}" in command
    assert "--archives env.tar.gz#environment" in command
    assert ("appMasterEnv" in command) == (mode == "cluster")
    assert command.endswith(f"{made['main']} status")
