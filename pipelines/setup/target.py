"""The Python environment that set-up fills: a checkout's `.venv`, or the one it runs in."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import dataclass
from pathlib import Path

VENV = ".venv"


@dataclass(frozen=True)
class Target:
    """An environment to install into.

    Attributes:
        python: Its interpreter.
        prefix: Its `sys.prefix`.
        search: Where its distributions lie; None means this process's own `sys.path`.
    """

    python: Path
    prefix: Path
    search: tuple[str, ...] | None = None

    def distribution(self, name: str) -> importlib.metadata.Distribution | None:
        """Return the installed distribution of that name, or None."""
        if self.search is None:
            found = importlib.metadata.Distribution.discover(name=name)
        else:
            found = importlib.metadata.Distribution.discover(name=name, path=list(self.search))
        return next(iter(found), None)

    def version(self, name: str) -> str | None:
        """Return the installed version of a distribution, or None."""
        found = self.distribution(name)
        return None if found is None else found.version

    def locate(self, name: str, path: str) -> Path | None:
        """Return where a path of an installed distribution lies, or None if it is not there."""
        found = self.distribution(name)
        if found is None:
            return None
        place = Path(str(found.locate_file(path)))
        return place if place.exists() else None


def checkout_root() -> Path | None:
    """Return the checkout this package runs from, or None when it was installed as a wheel."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "constraints.txt").is_file() else None


def venv_target(root: Path) -> Target:
    """Return the checkout's own environment, which need not exist yet."""
    prefix = root / VENV
    lib = prefix / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    return Target(prefix / "bin" / "python", prefix, (str(lib),))


def running_target() -> Target:
    """Return the environment of this very process."""
    return Target(Path(sys.executable), Path(sys.prefix))
