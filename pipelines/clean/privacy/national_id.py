"""National identification numbers, validated by the modules of python-stdnum that a run names.

The library says of a number whether it is valid, not where one begins: candidates are runs of up to seven
groups of capital letters and digits. A number that stays valid whatever its last digit is has no check
digit; such numbers (us.ssn) count only as their authorities write them, with separators.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import stdnum
from stdnum.exceptions import InvalidLength

from pipelines.clean.privacy.detector import CATALOGUE_BEFORE, CATALOGUE_WINDOW, Span, preceding, windows
from pipelines.clean.privacy.traits import CODED, MIN_CODE_DIGITS

_RUN = re.compile(r"(?<![A-Za-z0-9_])[A-Z0-9]{1,24}(?:[ ./-][A-Z0-9]{1,24})*(?![A-Za-z0-9_])")
_GROUP = re.compile(r"[A-Z0-9]+")

_MAX_GROUPS = 7
_WITHOUT_SEPARATORS = str.maketrans("", "", " ./-")
_MAX_CHARACTERS = 32


class NationalId:
    """Finds numbers of the named kinds.

    Example:
        >>> list(NationalId(("es.nif",)).find("Mi NIF es 54362315K."))
        [(10, 19)]
    """

    kind = "national_id"
    needs = CODED

    def __init__(self, names: tuple[str, ...]) -> None:
        """Loads the modules, for example us.ssn, es.nif, cn.ric, gb.nhs.

        Raises:
            ValueError: python-stdnum has no such module.
        """
        modules = [_module(name) for name in names]
        self._modules = [(module, _lengths(module)) for module in modules]

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each number; where several fit, the first and longest."""

        def accepts(span: Span) -> bool:
            start, end = span
            if end - start > _MAX_CHARACTERS:
                return False
            written = text[start:end]
            compact = written.translate(_WITHOUT_SEPARATORS)
            num_separators = len(written) - len(compact)
            if len(compact) < 2 * (num_separators + 1) or len(compact) <= MIN_CODE_DIGITS:
                return False
            is_digits = compact.isdecimal()
            if not is_digits and sum(map(str.isdecimal, compact)) < MIN_CODE_DIGITS:
                return False
            if is_digits and _is_part(text, start, end):
                return False
            if CATALOGUE_BEFORE.search(preceding(text, start, CATALOGUE_WINDOW)):
                return False
            return any(
                (not is_digits or len(compact) in lengths) and _is_number(module, written)
                for module, lengths in self._modules
            )

        for run in _RUN.finditer(text):
            groups = [group.span() for group in _GROUP.finditer(text, run.start(), run.end())]
            yield from windows(groups, _MAX_GROUPS, accepts)


def _is_part(text: str, start: int, end: int) -> bool:
    """Whether digits are joined to something before or behind: "issue-12652", "1.5", "/22463", "12:30"."""
    behind = text[end : end + 2]
    return text[max(0, start - 1) : start] in tuple("-#./_") or (
        behind[:1] in tuple("-/_") or (behind[:1] in (".", ":") and behind[1:].isdecimal())
    )


def _is_number(module: Any, written: str) -> bool:
    if not _accepts(module, written):
        return False
    if not written.isdecimal():
        return not written.translate(_WITHOUT_SEPARATORS).isdecimal() or _is_grouped(module, written)
    variants = [written[:-1] + digit for digit in "0123456789"]
    return sum(_accepts(module, variant) for variant in variants) <= len(variants) // 2


def _is_grouped(module: Any, written: str) -> bool:
    """Whether digits are grouped as the library writes the number, with whatever separators."""
    if not hasattr(module, "format"):
        return False
    lengths = [len(group) for group in _GROUP.findall(module.format(module.compact(written)))]
    return lengths == [len(group) for group in _GROUP.findall(written)]


def _lengths(module: Any) -> frozenset[int]:
    """How many digits a number of digits alone can have: what the library does not call a wrong length."""

    def is_possible(length: int) -> bool:
        try:
            module.validate("1" * length)
        except InvalidLength:
            return False
        except Exception:  # noqa: BLE001 - see _accepts
            return True
        return True

    return frozenset(filter(is_possible, range(MIN_CODE_DIGITS + 1, _MAX_CHARACTERS + 1)))


def _accepts(module: Any, written: str) -> bool:
    try:
        return bool(module.is_valid(written))
    except Exception:  # noqa: BLE001 - another's parser on strangers' texts
        # The library promises False; some of its modules stumble over forms that they did not expect.
        return False


def _module(given: str) -> Any:
    name = given
    if name[2:3] == "." and name not in _known():
        # India's and Iceland's packages end in an underscore, because Python has the words in and is.
        name = name.replace(".", "_.", 1)
    if name not in _known():
        country = name.partition(".")[0]
        near = [known for known in _known() if country and known.startswith(f"{country}.")]
        hint = f"of {country!r} it has {', '.join(near)}" if near else "names look like us.ssn or es.nif"
        raise ValueError(f"python-stdnum has no module {given!r}; {hint}")
    return importlib.import_module(f"stdnum.{name}")


@cache
def _known() -> tuple[str, ...]:
    """Names of the modules of countries, without loading them."""
    names = []
    for package in pkgutil.iter_modules(stdnum.__path__):
        if package.ispkg and len(package.name.rstrip("_")) == 2:
            folder = [f"{path}/{package.name}" for path in stdnum.__path__]
            names += [f"{package.name}.{module.name}" for module in pkgutil.iter_modules(folder)]
    return tuple(sorted(names))
