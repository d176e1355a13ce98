"""Makes a machine ready for ringlake: `python3 -m pipelines.setup`, or `ringlake setup`."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pipelines.setup import cache, checks, classes, horovod, imports, jars, venv
from pipelines.setup.errors import MissingToolsError, SetupError
from pipelines.setup.locks import locked
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target, checkout_root, running_target, venv_target

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Set up the checkout's `.venv`, or outside a checkout the environment this runs in.

    Args:
        argv: Arguments without the program's name; `sys.argv[1:]` when None.

    Returns:
        0 when all is ready, 4 when the machine lacks a tool, 1 for any other failure, and with
        `--check` 1 when set-up is needed.
    """
    parser = argparse.ArgumentParser(prog="ringlake setup", description=(main.__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether set-up is needed (status 1)")
    parser.add_argument("--force", action="store_true", help="go through all steps even if nothing changed")
    options = parser.parse_args(argv)
    progress = Progress()
    # Ended by a service manager or a closed terminal, set-up must end the compilers it started, too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    root = checkout_root()
    unfit = checks.check_python(sys.version_info[:3])
    if unfit is not None:
        progress.line(unfit.line())
        return MissingToolsError.exit_code
    try:
        if options.check:
            reason = stale(root)
            progress.line("set-up is complete" if reason is None else f"set-up is needed: {reason}")
            return 0 if reason is None else 1
        if root is None:
            set_up_running(progress)
        else:
            set_up_checkout(root, progress, force=options.force)
    except SetupError as error:
        progress.line(f"set-up stopped: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        progress.line("set-up was interrupted: run it again, it goes on from what is complete")
        return INTERRUPTED
    return 0


def set_up_checkout(root: Path, progress: Progress, *, force: bool = False) -> None:
    """Make `.venv` with the packages, Horovod, Delta's jars and the `ringlake` command.

    Args:
        root: The checkout.
        progress: Where to say what happens.
        force: Go through all steps even if the stamp says that nothing changed.

    Raises:
        SetupError: A step failed.
    """
    target = venv_target(root)
    reason = "asked for" if force else stale(root)
    if reason is None:
        progress.line("set-up is complete, nothing to do")
        return
    progress.line(f"set-up: {reason}")
    user = cache.user_cache()
    checks.require(root, user, new_venv=not _has_torch(target))
    with locked(root, str(target.prefix), progress):
        # The one that held the lock before may have done all of it.
        if not force and stale(root) is None:
            progress.line("another set-up has just finished this")
            return
        logs = root / "build" / "setup-logs"
        venv.make_venv(target, progress, logs / "venv.log")
        installer = venv.Installer(target, progress, logs, root / venv.CONSTRAINTS)
        installer.prepare()
        progress.line(f"installing the packages of pyproject.toml under {venv.CONSTRAINTS}")
        installer.install_project(root)
        done = _finish(target, installer, progress)
        imports.ensure(target, progress, logs / "imports.log")
        classes.ensure(target, logs, progress)
        venv.write_stamp(target, venv.fingerprint(root) | done)
    progress.line(f"ready: {target.prefix / 'bin' / 'ringlake'}")


def set_up_running(progress: Progress) -> None:
    """Bring Horovod and Delta's jars to the environment this runs in, where ringlake is installed.

    Raises:
        SetupError: A step failed.
    """
    target = running_target()
    user = cache.user_cache()
    checks.require(target.prefix, user, new_venv=False)
    if importlib.util.find_spec("pip") is None:
        raise MissingToolsError(f"{target.python} has no pip: run {target.python} -m ensurepip")
    # One wheel is installed here: pip does that, and uv need not enter somebody's environment.
    installer = venv.Installer(target, progress, _logs(target), None)
    _finish(target, installer, progress)
    classes.ensure(target, installer.logs, progress)
    progress.line("ready")


def stale(root: Path | None) -> str | None:
    """Say why set-up must run, or None if all it makes is there; takes no lock and no network.

    Args:
        root: The checkout, or None for the environment this runs in.
    """
    target = running_target() if root is None else venv_target(root)
    if not target.python.exists():
        return f"there is no {target.prefix}"
    try:
        if root is not None:
            stamp = venv.read_stamp(target)
            if not stamp:
                return "it has not been completed before"
            for what, value in venv.fingerprint(root).items():
                if stamp.get(what) != value:
                    return f"{what} is not what it was"
            if not (target.prefix / "bin" / "ringlake").is_file():
                return "the ringlake command is gone"
            if stamp.get("horovod") != horovod.entry(target):
                return "Horovod must be of another build"
        if target.version("horovod") is None:
            return "Horovod is not installed"
        jars.locate(target)
    except SetupError as error:
        return str(error)
    return None


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.strsignal(number))


def _finish(target: Target, installer: venv.Installer, progress: Progress) -> dict[str, str]:
    roots = cache.cache_roots(target.prefix)
    return {
        "horovod": horovod.ensure(target, installer, roots, progress),
        "jars": jars.ensure(target, roots, installer.logs, progress),
    }


def _has_torch(target: Target) -> bool:
    return target.python.exists() and target.version("torch") is not None


def _logs(target: Target) -> Path:
    return target.prefix / cache.FALLBACK / "logs"


if __name__ == "__main__":
    sys.exit(main())
