"""The user's cache of things that are slow to make: the Horovod wheel and Delta's jars.

An entry is a directory named after what it depends on, so another version is another entry. It is
made aside and renamed into place with its manifest (sizes and SHA-256 sums) written last: what has
a manifest is whole, and what does not match its manifest is built again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.setup.errors import CacheError
from pipelines.setup.locks import locked
from pipelines.setup.progress import Progress

MANIFEST = "manifest.json"
FALLBACK = "ringlake-cache"
_FORMAT = 1
_KEY_CHARACTERS = 16


@dataclass(frozen=True)
class Entry:
    """A whole entry of the cache.

    Attributes:
        path: Its directory.
        files: Its files in the order of their names, without the manifest.
        made: When its manifest was written, in seconds since 1970.
        fresh: Whether this call built it.
    """

    path: Path
    files: tuple[Path, ...]
    made: float
    fresh: bool = False


def user_cache() -> Path:
    """Return $RINGLAKE_CACHE, else $XDG_CACHE_HOME/ringlake, else ~/.cache/ringlake."""
    own = os.environ.get("RINGLAKE_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    return shared_cache() / "ringlake"


def shared_cache() -> Path:
    """Return where all of the user's programs keep their caches: $XDG_CACHE_HOME, else ~/.cache."""
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if shared.is_absolute():  # the XDG specification has relative paths ignored
        return shared
    # Unlike Path.home(), this does not fail for a user without a home directory.
    return Path(os.path.expanduser("~")).absolute() / ".cache"  # noqa: PTH111


def cache_roots(prefix: Path) -> tuple[Path, Path]:
    """Return where entries may lie: the user's cache, then a directory inside the environment.

    Args:
        prefix: `sys.prefix` of the environment; its own cache serves when the user's is unusable.
    """
    return user_cache(), prefix / FALLBACK


def entry_name(name: str, inputs: Mapping[str, str]) -> str:
    """Return the directory name of an entry: readable, and different for different inputs."""
    canonical = json.dumps(dict(inputs), sort_keys=True, separators=(",", ":"))
    return f"{name}-{hashlib.sha256(canonical.encode()).hexdigest()[:_KEY_CHARACTERS]}"


def damage(path: Path, *, deep: bool) -> str | None:
    """Say what is wrong with an entry, or None if nothing is.

    Args:
        path: The entry's directory.
        deep: Compare the SHA-256 sums too; without it only presence and size, in microseconds.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        if manifest["format"] != _FORMAT:
            return f"manifest format {manifest['format']}, expected {_FORMAT}"
        files = {str(name): (int(of["size"]), str(of["sha256"])) for name, of in manifest["files"].items()}
    except FileNotFoundError:
        return f"no {MANIFEST}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"unreadable {MANIFEST}: {error}"
    if not files:
        return f"{MANIFEST} names no file"
    for name, (size, digest) in files.items():
        file = path / name
        try:
            found = file.stat().st_size
            if found != size:
                return f"{name} has {found:,} bytes instead of {size:,}"
            if deep and _sha256(file) != digest:
                return f"{name} does not have the SHA-256 sum of its manifest"
        except OSError as error:
            return f"{name}: {error.strerror}"
    return None


def find(roots: Sequence[Path], kind: str, name: str, *, deep: bool = False) -> Entry | None:
    """Return a whole entry from the first root that has one, or None; writes nothing.

    Args:
        roots: Cache roots, as from `cache_roots`.
        kind: The sort of entry, a directory of the root.
        name: The entry's name, from `entry_name`.
        deep: Compare SHA-256 sums, not just sizes.
    """
    for root in roots:
        if damage(root / kind / name, deep=deep) is None:
            return _entry(root / kind / name)
    return None


def obtain(
    roots: Sequence[Path],
    kind: str,
    name: str,
    build: Callable[[Path], None],
    progress: Progress,
    *,
    refuse: Entry | None = None,
) -> Entry:
    """Return a whole entry, building it when there is none or when it is damaged.

    Args:
        roots: Cache roots in order of preference; the next serves where one is unusable.
        kind: The sort of entry.
        name: The entry's name, from `entry_name`.
        build: Writes the entry's files into the empty directory it is given.
        progress: Where to say what happens.
        refuse: A whole entry that does not serve and is to be replaced; it stays until a new one
            has been built.

    Raises:
        CacheError: No root could be written; every reason was shown as a line before.
    """
    entry = find(roots, kind, name, deep=True)
    if entry is not None and refuse is None:
        return entry
    reasons = []
    for root in roots:
        try:
            return _obtain_in(root / kind / name, build, progress, refuse)
        except CacheError as error:
            progress.line(f"the cache {root} cannot be used: {error}")
            reasons.append(f"{root}: {error}")
    tried = "; ".join(reasons)
    raise CacheError(f"no cache directory can be written ({tried}): set RINGLAKE_CACHE to one that can")


def discard(entry: Entry) -> None:
    """Remove an entry that turned out not to work."""
    with _cache_errors():
        _remove(entry.path)


def _obtain_in(path: Path, build: Callable[[Path], None], progress: Progress, refuse: Entry | None) -> Entry:
    name = path.name
    with _cache_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with _cache_errors():
            stack.enter_context(locked(path.parent / f".{name}.lock", name, progress))
        wrong = damage(path, deep=True)
        refused = refuse is not None and _is_still(refuse, path)
        if wrong is None and not refused:
            return _entry(path)
        with _cache_errors():
            if wrong is not None and (path.exists() or path.is_symlink()):
                progress.line(f"the cached {path} is damaged ({wrong}): making it again")
                _remove(path)
            # Whoever left these behind held the lock that is ours now.
            for stale in path.parent.glob(f".building-{name}-*"):
                _remove(stale)
            aside = Path(tempfile.mkdtemp(prefix=f".building-{name}-", dir=path.parent))
        try:
            build(aside)
            with _cache_errors():
                _seal(aside)
                if path.exists():
                    _remove(path)
                aside.rename(path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return dataclasses.replace(_entry(path), fresh=True)


def _entry(path: Path) -> Entry:
    manifest = path / MANIFEST
    names = json.loads(manifest.read_text())["files"]
    return Entry(path, tuple(path / name for name in sorted(names)), manifest.stat().st_mtime)


def _is_still(refused: Entry, path: Path) -> bool:
    """Say whether the entry is the refused one; whoever held the lock before may have replaced it."""
    manifest = path / MANIFEST
    return refused.path == path and manifest.is_file() and manifest.stat().st_mtime == refused.made


def _seal(path: Path) -> None:
    """Write the manifest, last and atomically."""
    files = sorted(file for file in path.iterdir() if file.is_file())
    if not files:
        raise CacheError(f"nothing was built into {path}")
    sums = {file.name: {"size": file.stat().st_size, "sha256": _sha256(file)} for file in files}
    half = path / f".{MANIFEST}"
    with half.open("w") as out:
        json.dump({"format": _FORMAT, "files": sums}, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    half.replace(path / MANIFEST)


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _remove(path: Path) -> None:
    """Remove a file, a link or a directory; renamed first, so that nobody meets a half-removed entry."""
    gone = path.with_name(f".gone-{os.getpid()}-{time.monotonic_ns()}")
    path.rename(gone)
    if gone.is_dir() and not gone.is_symlink():
        shutil.rmtree(gone)
    else:
        gone.unlink()


@contextlib.contextmanager
def _cache_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(f"{error.strerror or error}: {error.filename or 'cache'}") from error
