"""The checkout's environment: made with venv, filled from pyproject.toml under constraints.txt."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from pipelines.setup import cache
from pipelines.setup.errors import CommandError, SetupError
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target

CONSTRAINTS = "constraints.txt"
EXTRAS = "dev"
UV = "uv==0.13.9"
STAMP = ".ringlake-setup.json"
HTTP_TIMEOUT_S = "180"


class Installer:
    """Installs packages with uv where it can be had, which is many times faster, else with pip.

    Args:
        target: The environment to install into.
        progress: Where to say what happens.
        logs: Directory for the installers' output.
        constraints: The file of pins, or None outside a checkout.
    """

    def __init__(self, target: Target, progress: Progress, logs: Path, constraints: Path | None) -> None:
        self.logs = logs
        self._roots = cache.cache_roots(target.prefix)
        self._target = target
        self._progress = progress
        self._constraints = [] if constraints is None else ["--constraint", str(constraints)]
        self._log = logs / "install.log"
        self._uv: Path | None = None

    def prepare(self) -> None:
        """Bring uv into the environment; without it, say so and go on with pip."""
        uv = self._target.prefix / "bin" / "uv"
        if not uv.is_file():
            try:
                name = cache.entry_name("uv", {"uv": UV, "platform": sysconfig.get_platform()})
                wheel = cache.obtain(self._roots, "tools", name, self._download_uv, self._progress)
                arguments = ["install", "--no-index", "--no-deps", str(wheel.files[0])]
                self._pip(arguments, "installing uv")
            except SetupError as error:
                self._progress.line(f"uv cannot be had, going on with pip ({str(error).splitlines()[0]})")
                return
        self._uv = uv

    def install(self, arguments: Sequence[str], *, label: str) -> None:
        """Install; `arguments` are those that uv takes after `uv pip install`.

        Raises:
            CommandError: Neither uv nor pip could do it; the message has the end of pip's output.
        """
        if self._uv is not None:
            # All versions are pinned, so what uv's cache holds is as good as what the index says; asking
            # the index again costs a minute where it forbids caching. An empty cache fails at once.
            with contextlib.suppress(CommandError):
                return self._run_uv(["--offline", *arguments], label)
            try:
                return self._run_uv(arguments, label)
            except CommandError as error:
                # A mirror or a proxy that only pip is configured for is the usual reason.
                self._progress.line(f"uv failed, trying pip (log: {self._log}): {_reason(error)}")
                self._uv = None
        pip = ["--force-reinstall" if argument == "--reinstall" else argument for argument in arguments]
        return self._pip(["install", *pip], label)

    def install_project(self, root: Path) -> None:
        """Install the checkout itself, editable, with all its dependencies."""
        self.install([*self._constraints, "--editable", f"{root}[{EXTRAS}]"], label="installing packages")

    def _download_uv(self, out: Path) -> None:
        self._pip(["download", "--no-deps", "--only-binary", "uv", "--dest", str(out), UV], "fetching uv")

    def _pip(self, arguments: Sequence[str], label: str) -> None:
        command = [str(self._target.python), "-m", "pip", "--disable-pip-version-check", *arguments]
        self._progress.run(command, label=label, log=self._log)

    def _run_uv(self, arguments: Sequence[str], label: str) -> None:
        command = [str(self._uv), "pip", "install", "--python", str(self._target.python), *arguments]
        self._progress.run(command, label=label, log=self._log, env=self._uv_environment())

    def _uv_environment(self) -> dict[str, str]:
        env = dict(os.environ)
        env.setdefault("UV_HTTP_TIMEOUT", HTTP_TIMEOUT_S)
        if "UV_CACHE_DIR" not in env and not _writable(cache.shared_cache()):
            env["UV_CACHE_DIR"] = str(self._target.prefix / cache.FALLBACK / "uv")
        return env


def make_venv(target: Target, progress: Progress, log: Path) -> None:
    """Make the environment unless a working one of this Python's version is there.

    Raises:
        SetupError: Something that is not an environment lies at its place.
        CommandError: venv failed.
    """
    if target.prefix.exists():
        if not (target.prefix / "pyvenv.cfg").is_file():
            raise SetupError(f"{target.prefix} is no Python environment: move it away and set up again")
        trouble = _venv_trouble(target)
        if trouble is None:
            return
        progress.line(f"{target.prefix} {trouble}: making it anew")
    progress.line(f"making {target.prefix} with Python {sys.version.split()[0]}")
    progress.run([_base_python(), "-m", "venv", "--clear", str(target.prefix)], label="making .venv", log=log)


def _base_python() -> str:
    """Return the interpreter under any environment: .venv cannot be made anew by its own."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _venv_trouble(target: Target) -> str | None:
    """Say why an environment cannot be used, or None."""
    question = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    try:
        told = subprocess.run(
            [str(target.python), "-c", question], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"has an interpreter that does not start ({error})"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if told.returncode:
        return "has no working pip"
    return None if told.stdout.strip() == version else f"is of Python {told.stdout.strip()}, not {version}"


def fingerprint(root: Path) -> dict[str, str]:
    """Return what the installed packages follow from: the pins and the packaging parts of pyproject.toml."""
    import tomllib  # here, so that an older Python comes as far as being told that it is too old

    project = tomllib.loads((root / "pyproject.toml").read_text())
    tool = project.get("tool", {}).get("setuptools")
    packaging = [project.get("build-system"), project.get("project"), tool]
    return {
        "root": str(root),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "pyproject": hashlib.sha256(json.dumps(packaging, sort_keys=True).encode()).hexdigest(),
        "constraints": hashlib.sha256((root / CONSTRAINTS).read_bytes()).hexdigest(),
    }


def read_stamp(target: Target) -> dict[str, str]:
    """Return what the last complete set-up left in the environment; empty when there was none."""
    try:
        stamp = json.loads((target.prefix / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(target: Target, stamp: dict[str, str]) -> None:
    """Record a complete set-up, atomically."""
    half = target.prefix / f"{STAMP}.half"
    half.write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n")
    half.replace(target.prefix / STAMP)


def _reason(error: CommandError) -> str:
    """Return the line of an installer's output that tells most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or line.startswith(("x ", "×", "Caused"))]
    return (telling or lines)[0]


def _writable(place: Path) -> bool:
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK | os.X_OK)
