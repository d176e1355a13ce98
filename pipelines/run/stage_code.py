"""The code of a stage: what of ringlake decides its result, so that other changes make nothing anew."""

from __future__ import annotations

from functools import cache

from pipelines.run.stage import Stage
from pipelines.sources import PACKAGES, closure, installed, source_digest
from training.version import code_files, release


def stage_code(stage: Stage) -> str:
    """`RELEASE+src.HASH` of the sources of a stage: see `stage_files`."""
    return _version(stage.code, (stage.execute.__module__, *stage.bound_in))


@cache
def stage_files(code: tuple[str, ...], bound_in: tuple[str, ...]) -> frozenset[str]:
    """Files that decide what a stage makes.

    Args:
        code: Modules that do its work: they count with all that they import, and with the pages, styles and
            lists beside them that they, or such a file, name.
        bound_in: Modules that tie it to its tables: their own files count.
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
    return work | named | {f"{module.replace('.', '/')}.py" for module in bound_in}


@cache
def _version(code: tuple[str, ...], bound_in: tuple[str, ...]) -> str:
    return f"{release()}+src.{source_digest(stage_files(code, bound_in), installed)}"


@cache
def _no_python() -> frozenset[str]:
    names = (name for package in PACKAGES for name, _ in code_files(package))
    return frozenset(name for name in names if not name.endswith(".py"))
