"""National identification numbers, validated by the modules of python-stdnum that a run names.

The library says of a number whether it is valid, not where one begins: candidates are runs of up to seven
groups of capital letters and digits. A number that stays valid whatever its last digit is has no check
digit; such numbers (us.ssn) count only as their authorities write them, with separators.

The work is linear in the text, and no more is held than a few groups of it. At most seven candidates, of at
most 32 characters, begin at a group; each is looked up by its shape, and only the modules whose numbers can
have that form (see `id_form`) are asked, MAX_QUESTIONS times at most.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby, islice
from typing import Any, NamedTuple

import stdnum
from stdnum.exceptions import InvalidLength

from pipelines.clean.privacy.detector import CATALOGUE_BEFORE, CATALOGUE_WINDOW, Span, preceding, windows
from pipelines.clean.privacy.id_form import MAX_CHARACTERS, SEPARATORS, IdForm
from pipelines.clean.privacy.traits import CODED, MIN_CODE_DIGITS

# The check letter at the end is often a small one: "11010519491231002x".
_PART = r"[A-Z0-9]{1,24}(?:(?<=\d)[a-z])?(?![A-Za-z0-9])"
_GROUP = re.compile(rf"(?<![A-Za-z0-9])(?<![A-Za-z]_){_PART}(?!_[A-Za-z])")

_PIECE = re.compile(r"[A-Za-z0-9]+")
_MAX_GROUPS = 7
_WITHOUT_SEPARATORS = str.maketrans("", "", SEPARATORS)

MAX_QUESTIONS = 10
"""How often a module can be asked about one candidate: as it is, and with each other last digit."""


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
        self._kinds = [_Kind(module) for module in modules]
        self._by_shape: dict[int, tuple[_Kind, ...]] = {}

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each number; where several fit, the first and longest."""

        def accepts(first: Mark, last: Mark) -> bool:
            start, before, _ = first
            end, until, _ = last
            if end - start > MAX_CHARACTERS:
                return False
            possible = self._possible(until - before)
            if not possible:
                return False
            written = text[start:end]
            kinds = [kind for kind in possible if kind.form.allows(written)]
            if not kinds:
                return False
            compact = written.translate(_WITHOUT_SEPARATORS)
            if compact.isdecimal() and _is_part(
                text, start, end, "-/" if len(compact) < len(written) else "-/_"
            ):
                return False
            if CATALOGUE_BEFORE.search(preceding(text, start, CATALOGUE_WINDOW)):
                return False
            return any(_is_number(kind.module, written) for kind in kinds)

        for _, run in groupby(_groups(text), key=lambda group: group[0].run):
            for first, last in windows(run, _MAX_GROUPS, accepts):
                yield first.place, last.place

    def _possible(self, shape: int) -> tuple[_Kind, ...]:
        """The kinds that a candidate can be by its shape alone."""
        found = self._by_shape.get(shape)
        if found is None:
            if len(self._by_shape) >= _MAX_SHAPES:
                self._by_shape.clear()
            found = self._by_shape[shape] = tuple(kind for kind in self._kinds if kind.can_have(shape))
        return found


class Mark(NamedTuple):
    """Where a group begins or ends.

    A shape is the number of letters, of digits and of each separator, in a byte each: in 32 characters none
    overflows, and the shape of a candidate is the difference between its two marks.

    Attributes:
        place: In the text.
        shape: The sum of the shapes of all that stands before it in its run.
        run: The number of its run: groups with one separator between each two.
    """

    place: int
    shape: int
    run: int


_BITS = 8
_DIGIT = 1 << _BITS
_SEPARATOR = {character: 1 << _BITS * (2 + place) for place, character in enumerate(SEPARATORS)}
_MAX_SHAPES = 50_000
"""Those kept, in about 10 MB."""


def _groups(text: str) -> Iterator[tuple[Mark, Mark]]:
    """The groups of capital letters and digits, each with the marks at its ends.

    One at a time: an expression for a whole run would keep 130 bytes for each byte of it.
    """
    shape = run = last = 0
    for group in _GROUP.finditer(text):
        start, end = group.span()
        separator = _SEPARATOR.get(text[last]) if start == last + 1 else None
        if separator is None:
            run += 1
            shape = 0
        else:
            shape += separator
        before = shape
        written = group[0]
        num_digits = end - start if written.isdecimal() else sum(map(str.isdecimal, written))
        shape += num_digits * _DIGIT + end - start - num_digits
        yield Mark(start, before, run), Mark(end, shape, run)
        last = end


class _Kind:
    """A module, the form of its numbers, and the lengths of those of digits alone."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.form = IdForm(module)
        self._lengths = _lengths(module)

    def can_have(self, shape: int) -> bool:
        """Whether a number can have that many letters, digits and separators."""
        num_letters, num_digits, *counts = shape.to_bytes(2 + len(SEPARATORS), "little")
        length = num_letters + num_digits
        if length < 2 * (sum(counts) + 1) or length <= MIN_CODE_DIGITS or num_digits < MIN_CODE_DIGITS:
            return False
        if not num_letters and length not in self._lengths:
            return False
        return self.form.allows_length(length, dict(zip(SEPARATORS, counts, strict=True)))


def _is_part(text: str, start: int, end: int, joints: str) -> bool:
    """Whether digits are joined to something before or behind: "issue-12652", "1.5", "/22463", "12:30"."""
    behind = text[end : end + 2]
    return text[max(0, start - 1) : start] in tuple(joints + "#.") or (
        behind[:1] in tuple(joints) or (behind[:1] in (".", ":") and behind[1:].isdecimal())
    )


def _is_number(module: Any, written: str) -> bool:
    if not _accepts(module, written):
        return False
    if not written.isdecimal():
        return not written.translate(_WITHOUT_SEPARATORS).isdecimal() or _is_grouped(module, written)
    others = [written[:-1] + digit for digit in "0123456789" if digit != written[-1]]
    valid = (variant for variant in others if _accepts(module, variant))
    # It is valid itself: with five more the check would let most digits pass.
    return sum(1 for _ in islice(valid, 5)) < 5


def _is_grouped(module: Any, written: str) -> bool:
    """Whether digits are grouped as the library writes the number, with whatever separators."""
    if not hasattr(module, "format"):
        return False
    lengths = [len(group) for group in _PIECE.findall(module.format(module.compact(written)))]
    return lengths == [len(group) for group in _PIECE.findall(written)]


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

    return frozenset(filter(is_possible, range(MIN_CODE_DIGITS + 1, MAX_CHARACTERS + 1)))


def _accepts(module: Any, written: str) -> bool:
    try:
        return bool(module.is_valid(written))
    except MemoryError:
        raise
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
