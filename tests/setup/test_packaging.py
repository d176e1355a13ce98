"""What is pinned, what the wheel contains, and that set-up needs nothing but Python."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from pipelines.setup import apart

ROOT = Path(__file__).resolve().parents[2]
OWN = {"conf", "pipelines", "ringlake", "schemas", "training"}
APART = {"airflow": "apache-airflow", "openlineage": "openlineage-python"}
"""Modules whose distributions are tested in environments of their own, and those distributions."""
PIN = re.compile(r"^[a-z0-9][a-z0-9.-]*==[0-9][0-9a-z.]*( ; sys_platform == \"linux\")?$")


def pins() -> list[str]:
    return [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]


def test_constraints_are_sorted_pins_without_urls() -> None:
    lines = pins()
    assert [line for line in lines if not PIN.match(line)] == []
    names = [line.split("==")[0] for line in lines]
    assert names == sorted(set(names))
    assert "://" not in (ROOT / "constraints.txt").read_text()


def test_what_only_linux_has_is_marked() -> None:
    only = [line for line in pins() if line.startswith(("nvidia-", "cuda-", "triton"))]
    assert len(only) > 10
    assert all(line.endswith('; sys_platform == "linux"') for line in only)


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    installed = [extras[name] for name in ("spark", "petastorm", "icu", "test", "lint")]
    wanted = [*project["dependencies"], *(one for extra in installed for one in extra)]
    names = {canonical(one) for one in wanted}
    assert names - {line.split("==")[0] for line in pins()} == set()


def test_a_platforms_spark_and_setuptools_are_not_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {canonical(one) for one in project["dependencies"]}
    assert asked.isdisjoint({"pyspark", "delta-spark", "setuptools", *apart.VERSIONS})


def test_what_set_up_brings_without_its_requirements_is_of_the_pinned_version() -> None:
    versions = dict(line.split(" ")[0].split("==") for line in pins())
    assert dict(apart.VERSIONS) == {name: versions[name] for name in apart.VERSIONS}


def test_requirements_of_what_is_installed_apart_are_ours_but_those_it_does_not_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {canonical(one) for one in project["dependencies"]}
    wanted = {
        canonical(line)
        for name in (*apart.VERSIONS, "horovod")
        for line in metadata.requires(name) or []
        if "extra ==" not in line and "python_version <" not in line
    }
    assert wanted - asked == {"pyspark", "setuptools", "typing-extensions"}


def imported(folder: Path) -> dict[str, str]:
    """Every module of others that Python files import, up to the first dot, with a file that does."""
    found: dict[str, str] = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            found |= {name.split(".")[0]: str(path.relative_to(ROOT)) for name in names}
    return {name: file for name, file in found.items() if name not in sys.stdlib_module_names | OWN}


@pytest.mark.parametrize("package", ["conf", "pipelines", "ringlake", "schemas", "training"])
def test_what_is_imported_is_declared(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    used = [extras[name] for name in extras.keys() - {"test", "lint", "dev"}]
    wanted = [*project["dependencies"], *(one for extra in used for one in extra)]
    declared = {canonical(one) for one in wanted}
    distributions = metadata.packages_distributions()
    missing = {
        name: file
        for name, file in imported(ROOT / package).items()
        if declared.isdisjoint(map(canonical, distributions.get(name, [APART.get(name, name)])))
    }
    assert missing == {}


def canonical(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def modules() -> list[Path]:
    return sorted((ROOT / "pipelines" / "setup").glob("*.py"))


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.name)
def test_set_up_imports_only_the_standard_library_and_itself(module: Path) -> None:
    foreign = []
    for node in ast.walk(ast.parse(module.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        foreign += [
            name
            for name in names
            if name.split(".")[0] not in sys.stdlib_module_names
            and not f"{name}.".startswith("pipelines.setup.")
        ]
    assert foreign == []


def test_the_package_above_set_up_imports_nothing() -> None:
    tree = ast.parse((ROOT / "pipelines" / "__init__.py").read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_set_up_starts_without_site_packages() -> None:
    """As on a new machine: -S hides everything that is installed."""
    program = "import pipelines.setup.__main__, sys; print('numpy' in sys.modules, 'typer' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_the_wheel_carries_configs_schemas_and_the_command(tmp_path: Path) -> None:
    # From a copy of what is tracked or new: building in the checkout itself would leave a build folder there.
    source = tmp_path / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "notebooks/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, str(source)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("ringlake-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        assert "ringlake = ringlake.__main__:main" in archive.read(entry_points).decode()
    folders = [ROOT / "conf" / "runs", ROOT / "conf" / "clusters"]
    configs = {str(path.relative_to(ROOT)) for folder in folders for path in folder.glob("*.*")}
    assert "conf/runs/python-docs.yaml" in configs
    schemas = {f"schemas/{path.name}" for path in (ROOT / "schemas").glob("*.py")}
    others = {"pipelines/setup/__main__.py", "conf/py.typed", "ringlake/py.typed"}
    assert (configs | schemas | others) - names == set()
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "notebooks/"))]
