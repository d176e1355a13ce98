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

from pipelines.setup import apart, cache, checks, classes, horovod, imports, jars, s3_jars, venv
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
    parser.add_argument(
        "--wheel",
        metavar="DIR",
        type=Path,
        help="install nothing: put the wheels of Horovod (built once), Petastorm and icu4py into this folder",
    )
    parser.add_argument(
        "--s3",
        action="store_true",
        help="only fetch Spark's client of S3 (650 MB), for lakes and Delta tables on s3://",
    )
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
        if options.s3:
            fetch_s3(root, progress)
        elif options.wheel is not None:
            put_wheels(root, options.wheel.absolute(), progress)
        elif root is None:
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
    """Bring Horovod, Petastorm, icu4py and Delta's jars to the environment in which this runs.

    Nothing that is there is replaced. Without the extra `spark` the platform has Spark and Delta.

    Raises:
        SetupError: A step failed.
    """
    target = running_target()
    user = cache.user_cache()
    checks.require(target.prefix, user, new_venv=False)
    _require_pip(target)
    # A few wheels are installed here: pip does that, and uv need not enter somebody's environment.
    installer = venv.Installer(target, progress, _logs(target), None)
    _finish(target, installer, progress)
    if jars.wanted(target):
        classes.ensure(target, installer.logs, progress)
    progress.line("ready")


def put_wheels(root: Path | None, folder: Path, progress: Progress) -> None:
    """Put the wheels of Horovod, Petastorm and icu4py into a folder, for a cluster's machines.

    They are to be installed with `pip install --no-deps --no-index`: what they need ringlake asks for itself.

    Args:
        root: The checkout, or None for the environment this runs in: its torch is what Horovod must fit.
        folder: Where to; made unless it is there.
        progress: Where to say what happens.

    Raises:
        SetupError: A step failed.
    """
    target = running_target() if root is None else venv_target(root)
    checks.require(target.prefix, cache.user_cache(), new_venv=False)
    _require_pip(target)
    logs = _logs(target)
    wheel = horovod.put_wheel(target, folder, cache.cache_roots(target.prefix), logs, progress)
    apart.put_wheels(target, folder, logs / "wheels.log", progress)
    progress.line(
        f"{folder} has {wheel.name} for torch {target.version('torch')}, and {', '.join(apart.VERSIONS)}"
    )


def fetch_s3(root: Path | None, progress: Progress) -> None:
    """Fetch what Spark needs to read and write S3; clusters have it from their platform.

    Args:
        root: The checkout, or None for the environment this runs in.
        progress: Where to say what happens.

    Raises:
        SetupError: There is no Spark yet, or the jars could not be fetched.
    """
    target = running_target() if root is None else venv_target(root)
    s3_jars.ensure(target, cache.cache_roots(target.prefix), _logs(target), progress)


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
        if lacking := apart.missing(target):
            return f"{' and '.join(lacking)} must be installed"
        if root is not None or jars.wanted(target):
            jars.locate(target)
    except SetupError as error:
        return str(error)
    return None


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.strsignal(number))


def _finish(target: Target, installer: venv.Installer, progress: Progress) -> dict[str, str]:
    roots = cache.cache_roots(target.prefix)
    apart.ensure(target, installer, progress)
    done = {"horovod": horovod.ensure(target, installer, roots, progress)}
    if jars.wanted(target):
        return done | {"jars": jars.ensure(target, roots, installer.logs, progress)}
    progress.line("no delta-spark here: Spark and Delta are the platform's own (else: the extra `spark`)")
    return done


def _require_pip(target: Target) -> None:
    if target.search is None and importlib.util.find_spec("pip") is None:
        raise MissingToolsError(f"{target.python} has no pip: run {target.python} -m ensurepip")


def _has_torch(target: Target) -> bool:
    return target.python.exists() and target.version("torch") is not None


def _logs(target: Target) -> Path:
    return target.prefix / cache.FALLBACK / "logs"


if __name__ == "__main__":
    sys.exit(main())
