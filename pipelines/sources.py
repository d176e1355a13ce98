"""Which sources decide what a module computes: its file and those of all that it imports, to the last.

Found by reading, not by importing: imports inside functions count, those for type checkers do not. The file
of a package counts where something lies in it; what that file imports counts where it is imported itself. A
package that says `modules_of(__name__)` imports all of its modules. Of `conf` nothing counts: its values do,
and they are in the key of a run one by one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib import resources

from ringlake.base.code import files_hash

PACKAGES = ("pipelines", "ringlake", "schemas", "training")
"""Where what decides results lies."""

_DECIDES_NOTHING = frozenset({"ringlake/__init__.py"})
"""It only names the public API."""

Read = Callable[[str], bytes | None]
"""Content of a file by its name, as 'pipelines/clean/stage.py'; None where there is none."""

Listed = Callable[[str], Iterable[str]]
"""Names of the modules in a package."""


def installed_modules(package: str) -> list[str]:
    """Names of the modules that lie in a package of the ringlake that runs."""
    folder = resources.files(package.partition(".")[0]).joinpath(*package.split(".")[1:])
    files = sorted(item.name for item in folder.iterdir() if item.is_file())
    return [name.removesuffix(".py") for name in files if name.endswith(".py") and name != "__init__.py"]


def closure(roots: Sequence[str], read: Read, listed: Listed = installed_modules) -> frozenset[str]:
    """The files of modules, of all that they import, and of the packages around these.

    Args:
        roots: Names of modules, as 'pipelines.clean.stage'.
        read: Gives the sources.
        listed: Gives the modules of packages that import all of theirs.

    Raises:
        LookupError: A root has no file.
    """
    for root in roots:
        if _file_of(root, read) is None:
            raise LookupError(f"no module {root!r} among the sources of ringlake")
    found: set[str] = set()
    around: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        file = _file_of(name, read)
        if file is None or file in found:
            continue
        found.add(file)
        waiting += _imports(name, file, read(file) or b"", listed)
        parts = name.split(".")
        around |= {f"{'/'.join(parts[:end])}/__init__.py" for end in range(1, len(parts))}
    around -= _DECIDES_NOTHING
    return frozenset(found | {file for file in around if read(file) is not None})


def source_digest(files: Iterable[str], read: Read) -> str:
    """Hash of files by name and content, 12 hex digits."""
    return files_hash((file, read(file) or b"") for file in sorted(files))


@cache
def installed(file: str) -> bytes | None:
    """Content of a file of the ringlake that runs: of a checkout, an installation or a zip."""
    package, *rest = file.split("/")
    if package not in PACKAGES:
        return None
    found = resources.files(package)
    for part in rest:
        found = found / part
    return found.read_bytes() if found.is_file() else None


@cache
def module_digest(module: str) -> str:
    """Hash of all sources that decide what a module of the ringlake that runs computes."""
    return source_digest(closure([module], installed), installed)


def _file_of(name: str, read: Read) -> str | None:
    path = name.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py") if read(file) is not None), None)


def _imports(name: str, file: str, source: bytes, listed: Listed) -> list[str]:
    """Names of modules of ours that a source imports."""
    package = name if file.endswith("/__init__.py") else name.rpartition(".")[0]
    found: list[str] = []
    for node in _walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            found.append(base)
            found += [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node) == "modules_of(__name__)":
            found += [f"{package}.{module}" for module in listed(package)]
    return [each for each in found if each.partition(".")[0] in PACKAGES]


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """A tree without what stands under `if TYPE_CHECKING`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from _walk(other)
        else:
            yield from _walk(child)
