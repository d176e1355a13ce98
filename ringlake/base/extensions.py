"""What other packages add to ringlake, by the entry points that they declare.

A package names what it adds in the group of its kind (`ringlake.rules`, `ringlake.formats`, ...). Nothing of
it is imported before it is used: what is installed is known from the metadata of the distributions alone, and
of these only the files `entry_points.txt` are read, since to parse all of them takes longer than `ringlake
--help` may.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from ringlake.base.code import code_files, files_hash

PREFIX = "ringlake."
"""What the name of every group begins with."""

T = TypeVar("T")


class ExtensionError(Exception):
    """An extension that cannot be used; the message names it, its distribution and the remedy.

    Attributes:
        exit_code: That of a command which this ends: the environment is not as it has to be.
    """

    exit_code = 4


@dataclass(frozen=True)
class Extension:
    """One thing that another package adds, as its metadata has it.

    Attributes:
        group: What it is: 'rules', 'formats', 'strategies', 'tasks', 'stages'.
        name: What users call it.
        distribution: Name of the distribution that brings it.
        version: Version of that.
        place: Where its object is: 'package.module:NAME'.
    """

    group: str
    name: str
    distribution: str
    version: str
    place: str

    @property
    def origin(self) -> str:
        """Distribution and version for people: 'polite-rules 1.0'."""
        return f"{self.distribution} {self.version}"

    def __str__(self) -> str:
        return f"{self.name} of {self.origin}"

    @property
    def module(self) -> str:
        """The module that has the object."""
        return self.place.partition(":")[0].strip()

    @property
    def code(self) -> str:
        """`VERSION+src.HASH`: another one as soon as a source of the distribution is another.

        Raises:
            ExtensionError: Its module is not there.
        """
        return f"{self.version}+src.{_sources_hash(self)}"

    def described(self) -> dict[str, str]:
        """What the ledger has of it."""
        return {
            "group": self.group,
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
        }

    def load(self) -> Any:
        """Its object, imported now.

        Raises:
            ExtensionError: That fails, whatever the reason.
        """
        module, _, name = self.place.partition(":")
        try:
            value: Any = import_module(module.strip())
            for part in filter(None, name.strip().split(".")):
                value = getattr(value, part)
        except Exception as error:
            said = f"{type(error).__name__}: {error!s:.300}"
            raise ExtensionError(
                f"{self.group} {self.name!r} of {self.origin} cannot be loaded from {self.place!r} ({said}); "
                f"repair or update {self.distribution}, or uninstall it"
            ) from error
        return value


@dataclass(frozen=True)
class Door(Generic[T]):
    """One kind of thing that other packages may add.

    Attributes:
        group: Its group without the prefix: 'rules'.
        what: What one is called: 'rule'.
        kind: The class, or classes, that its objects have.
        own: The names that are ringlake's own.
    """

    group: str
    what: str
    kind: type[T] | tuple[type[T], ...]
    own: Callable[[], Collection[str]] = field(default=tuple)

    def installed(self) -> tuple[Extension, ...]:
        """Everything of this kind that other packages add, sorted by name."""
        return installed(self.group)

    def names(self) -> tuple[str, ...]:
        """The names of these, each once."""
        return tuple(dict.fromkeys(extension.name for extension in self.installed()))

    def find(self, name: str) -> Extension | None:
        """What adds a name; None if it is one of ringlake's own, or nothing adds it.

        Raises:
            ExtensionError: Two distributions claim the name, or one claims a name of ringlake's own.
        """
        found = [extension for extension in self.installed() if extension.name == name]
        if not found:
            return None
        origins = " and ".join(extension.origin for extension in found)
        if name in self.own():
            raise ExtensionError(
                f"the {self.what} {name!r} is ringlake's own, and {origins} claims its name; rename it "
                f"there, or uninstall {found[0].distribution}"
            )
        if len(found) > 1:
            raise ExtensionError(
                f"the {self.what} {name!r} is claimed by {origins}; uninstall all of them but one, or have "
                f"one renamed"
            )
        return found[0]

    def used(self, names: Iterable[str]) -> tuple[Extension, ...]:
        """What adds any of these names, sorted by name; see `find`."""
        found = (self.find(name) for name in sorted(set(names)))
        return tuple(extension for extension in found if extension is not None)

    def get(self, name: str) -> T | None:
        """The object of a name, loaded now; None where `find` finds nothing.

        Raises:
            ExtensionError: See `find`; or it does not load, or is not what it must be.
        """
        extension = self.find(name)
        return None if extension is None else self.load(extension)

    def load(self, extension: Extension) -> T:
        """The object of an extension.

        Raises:
            ExtensionError: It does not load, has another type, or calls itself something else.
        """
        value = extension.load()
        where = f"{extension.group} {extension.name!r} of {extension.origin} ({extension.place})"
        remedy = f"correct it in {extension.distribution}, or uninstall that"
        if not isinstance(value, self.kind):
            kinds = self.kind if isinstance(self.kind, tuple) else (self.kind,)
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise ExtensionError(f"{where} is of type {type(value).__name__}, not {wanted}; {remedy}")
        called = getattr(value, "name", None)
        if called != extension.name:
            raise ExtensionError(f"{where} calls itself {called!r}; both names must be one; {remedy}")
        return value


def installed(group: str) -> tuple[Extension, ...]:
    """All that distributions on the path of this process add to a group, sorted by name."""
    return _installed(tuple(sys.path)).get(group, ())


def groups() -> tuple[str, ...]:
    """The groups of ringlake's that any distribution names, also such as ringlake does not know."""
    return tuple(sorted(_installed(tuple(sys.path))))


def unknown(key: str, value: str, known: Sequence[str], added: Sequence[str]) -> str:
    """What to tell of a name that is not known, in one line.

    Args:
        key: The key of the configuration that has it.
        value: The name.
        known: Ringlake's own names.
        added: Those that installed extensions add.
    """
    # Here and not above, as below: the list of commands needs neither.
    import difflib

    close = difflib.get_close_matches(value, [*known, *added], n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    more = f"; of installed extensions: {', '.join(sorted(added))}" if added else ""
    return (
        f"{key} = {value!r} is not known; {hint}known are {', '.join(known)}{more}; another one needs the "
        f"package that adds it: `ringlake extensions` lists what is installed"
    )


def require(needed: Iterable[Extension]) -> None:
    """Checks in a process of the cluster that it has what the driver has found.

    Raises:
        ExtensionError: It lacks one of them, or has another version of it.
    """
    for extension in needed:
        here = [found for found in installed(extension.group) if found == extension]
        if here:
            continue
        import socket

        other = [found for found in installed(extension.group) if found.name == extension.name]
        has = f"has it of {other[0].origin}" if other else f"has no {extension.distribution}"
        raise ExtensionError(
            f"{sys.executable} on {socket.gethostname()} {has}, and the driver has {extension.group} "
            f"{extension.name!r} of {extension.origin}; install {extension.distribution} "
            f"{extension.version} there, or pack this environment: ringlake bundle"
        )


@lru_cache(maxsize=8)
def _installed(path: tuple[str, ...]) -> Mapping[str, tuple[Extension, ...]]:
    found: dict[str, list[Extension]] = {}
    for distribution in _distributions(path):
        for entry in distribution.entry_points:
            if entry.group.startswith(PREFIX):
                group = entry.group.removeprefix(PREFIX)
                name, version = distribution.metadata["Name"], distribution.version
                found.setdefault(group, []).append(Extension(group, entry.name, name, version, entry.value))
    return {
        group: tuple(sorted(items, key=lambda item: (item.name, item.distribution)))
        for group, items in found.items()
    }


def _distributions(path: Sequence[str]) -> Iterator[metadata.Distribution]:
    """Those that name a group of ours; of a distribution that is there twice the first one on the path."""
    seen: set[str] = set()
    for place in path:
        folder = place or "."
        if not Path(folder).is_dir():
            if Path(folder).is_file():
                yield from metadata.distributions(path=[folder])
            continue
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - Path objects of 200 entries cost milliseconds
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            project = name.partition("-")[0].lower().replace(".", "_")
            if project not in seen and _names_us(os.path.join(folder, name)):  # noqa: PTH118 - likewise
                yield metadata.Distribution.at(Path(folder, name))
            seen.add(project)


def _names_us(folder: str) -> bool:
    try:
        with open(f"{folder}/entry_points.txt", "rb") as file:  # noqa: PTH123
            return f"[{PREFIX}".encode() in file.read()
    except OSError:
        return False


@lru_cache(maxsize=64)
def _sources_hash(extension: Extension) -> str:
    """Hash of the files of its distribution; where the metadata does not list them, of its package.

    An editable installation lists none of them.
    """
    distribution = metadata.distribution(extension.distribution)
    listed = {
        str(file): Path(str(distribution.locate_file(file)))
        for file in distribution.files or ()
        if ".." not in file.parts and not file.parts[0].endswith((".dist-info", ".egg-info"))
    }
    path = extension.module.replace(".", "/")
    if not listed.keys().isdisjoint({f"{path}.py", f"{path}/__init__.py"}):
        kept = {name: file for name, file in listed.items() if file.suffix != ".pyc" and file.is_file()}
        return files_hash((name, file.read_bytes()) for name, file in sorted(kept.items()))
    return files_hash(_package_files(extension))


def _package_files(extension: Extension) -> Iterator[tuple[str, bytes]]:
    """The files of the outermost package of its module that is no namespace of several distributions."""
    parts = extension.module.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            spec = None
        if spec is None or (spec.origin is None and end < len(parts)):
            continue
        if spec.submodule_search_locations is not None:
            yield from code_files(name)
        elif spec.origin is not None:
            yield f"{name}.py", Path(spec.origin).read_bytes()
        return
    raise ExtensionError(
        f"{extension.group} {extension.name!r} of {extension.origin}: there is no module "
        f"{extension.module!r}; install {extension.distribution} again, or uninstall it"
    )
