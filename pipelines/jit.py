"""Compiling the text kernels: machine code is cached on disk where that is possible.

A kernel takes seconds to compile and milliseconds to load, and every Python worker of Spark needs it.
Numba keeps its cache beside the source file or in the user's cache folder; where neither is writable
(a read-only installation under a user without a home, as in some YARN containers), it refuses to
decorate at all, so the kernel is compiled in memory there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compiles a function to machine code at its first call.

    Numba notices a change of the file that a kernel stands in, not of files it takes helpers from: a
    kernel and the compiled functions that it calls belong into one file.
    """
    try:
        return cast(Function, njit(cache=True, nogil=True)(function))
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return cast(Function, njit(nogil=True)(function))
