"""Compiling the text kernels: machine code is cached on disk where that is possible.

A kernel takes seconds to compile and milliseconds to load, and every Python worker of Spark needs it.
Numba keeps its cache beside the source file or in the user's cache folder; where neither is writable
(a read-only installation under a user without a home, as in some YARN containers), it refuses to
decorate at all, so the kernel is compiled in memory there.

Machine code holds what its sources held: constants and helpers of other files too, of which Numba takes no
note. Here a kernel is found in the cache only if all sources that its module imports are those of its making.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from numba import config, njit
from numba.core import caching

from pipelines.sources import module_digest

Function = TypeVar("Function", bound=Callable[..., Any])


def _place(name: str) -> Any:
    """A place of Numba's by its name, which had an underscore before in releases that ask for no others."""
    return getattr(caching, name, None) or getattr(caching, f"_{name}", object)


class _BySources:
    """Stamps a kernel's machine code with all sources that its module is made of."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """As Numba's own places, which are asked in their order."""
        locator = super().from_function(py_func, py_file)  # type: ignore[misc]
        if locator is not None:
            locator.sources = _digest(py_func.__module__)
        return locator

    def get_source_stamp(self) -> Any:
        """Equal where the machine code may be taken from the cache."""
        return super().get_source_stamp(), self.sources  # type: ignore[misc, attr-defined]


class InChosenFolder(_BySources, _place("UserProvidedCacheLocator")):  # type: ignore[misc]
    """In the folder that NUMBA_CACHE_DIR names."""


class BesideSource(_BySources, _place("InTreeCacheLocator")):  # type: ignore[misc]
    """In __pycache__ beside the source."""


class InUsersCache(_BySources, _place("UserWideCacheLocator")):  # type: ignore[misc]
    """In the user's cache folder."""


class OfZip(_BySources, _place("ZipCacheLocator")):  # type: ignore[misc]
    """In the user's cache folder, for sources in a zip."""


_PLACES = ",".join(
    f"{__name__}.{place.__name__}" for place in (InChosenFolder, BesideSource, InUsersCache, OfZip)
)


def kernel(function: Function) -> Function:
    """Compiles a function to machine code at its first call, or takes that of the cache."""
    try:
        with _cached_by_sources():
            return cast(Function, njit(cache=True, nogil=True)(function))
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return cast(Function, njit(nogil=True)(function))


@contextmanager
def _cached_by_sources() -> Iterator[None]:
    # Numba reads the places when it decorates; what the user's own functions get stays as it is.
    settings: Any = config
    before = getattr(settings, "CACHE_LOCATOR_CLASSES", "")
    settings.CACHE_LOCATOR_CLASSES = before or _PLACES
    try:
        yield
    finally:
        settings.CACHE_LOCATOR_CLASSES = before


def _digest(module: str) -> str:
    try:
        return module_digest(module)
    except LookupError:
        return ""  # a kernel of somebody else's module
