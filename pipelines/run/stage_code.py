"""The code of a stage: what of ringlake decides its result, so that other changes make nothing anew."""

from __future__ import annotations

from functools import cache

from pipelines.run.binding import binding_of
from pipelines.sources import PACKAGES, closure, installed, source_digest
from pipelines.stages import Stage
from ringlake.base.code import code_files, release

_BINDINGS = "pipelines/bindings/"


def stage_code(stage: Stage) -> str:
    """`RELEASE+src.HASH` of the sources of a stage: see `stage_files`."""
    return _version(*_modules_of(stage))


def files_of(stage: Stage) -> frozenset[str]:
    """The files that decide what a stage makes."""
    return stage_files(*_modules_of(stage))


def _modules_of(stage: Stage) -> tuple[tuple[str, ...], str]:
    """The modules of ringlake that do the work of a stage, and that of its binding; empty: it has none.

    Of the stage of another package its distribution counts besides, as that of any extension.
    """
    if not stage.work:
        return stage.code, binding_of(stage).run.__module__
    module = stage.work.partition(":")[0]
    return stage.code or ((module,) if module.partition(".")[0] in PACKAGES else ()), ""


@cache
def stage_files(code: tuple[str, ...], bound_in: str) -> frozenset[str]:
    """Files that decide what a stage makes.

    Args:
        code: Modules that do its work: they count with all that they import, and with the pages, styles and
            lists beside them that they, or such a file, name.
        bound_in: Module of its binding: its own file counts, and those of the bindings that it imports.
            Empty: it has none.
    """
    work = closure(code, installed)
    named: set[str] = set()
    new = set(work)
    while new:
        contents = [installed(file) or b"" for file in new]
        folders = {file.rpartition("/")[0] for file in new}
        new = {
            file
            for file in _no_python() - named
            if file.rpartition("/")[0] in folders
            and any(file.rpartition("/")[2].encode() in content for content in contents)
        }
        named |= new
    return work | named | (_bindings(bound_in) if bound_in else frozenset())


def _bindings(module: str) -> frozenset[str]:
    """Files of a binding and of all of its folder that it imports."""
    file = f"{module.replace('.', '/')}.py"
    if installed(file) is None:
        # That of a test or of another package, which is no part of ringlake.
        return frozenset({file})
    return closure([module], lambda name: installed(name) if name.startswith(_BINDINGS) else None)


@cache
def _version(code: tuple[str, ...], bound_in: str) -> str:
    return f"{release()}+src.{source_digest(stage_files(code, bound_in), installed)}"


@cache
def _no_python() -> frozenset[str]:
    names = (name for package in PACKAGES for name, _ in code_files(package))
    return frozenset(name for name in names if not name.endswith(".py"))
