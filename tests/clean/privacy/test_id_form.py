"""Forms of ids: they say no only where python-stdnum does, and keep the work on a text small."""

from __future__ import annotations

import importlib.util
import re
import sys
import tracemalloc
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import util

from benchmarks.hostile_texts import FAMILIES
from pipelines.clean.privacy import id_form, national_id
from pipelines.clean.privacy.detector import CATALOGUE_BEFORE, CATALOGUE_WINDOW, Span
from pipelines.clean.privacy.id_form import MAX_CHARACTERS, SEPARATORS, IdForm
from pipelines.clean.privacy.national_id import MAX_QUESTIONS, NationalId

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + SEPARATORS
KNOWN = [name for name in national_id._known() if hasattr(national_id._module(name), "is_valid")]
NAMED: tuple[str, ...] = (
    "us.ssn",
    "es.nif",
    "cn.ric",
    "gb.nhs",
    "fr.nir",
    "it.codicefiscale",
    "in_.aadhaar",
    "fi.hetu",
)
NAMED += ("cz.bankaccount", "de.idnr", "es.dni", "be.nn", "br.cpf", "pl.pesel", "eu.vat", "th.tin")


def _examples(name: str) -> list[str]:
    """The numbers in the documentation of a module."""
    quoted = re.findall(r"'([^'\n]{5,40})'", national_id._module(name).__doc__ or "")
    return [
        number for number in quoted if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9 ./-]*[A-Za-z0-9])?", number)
    ]


EXAMPLES = {name: _examples(name) for name in KNOWN}


@st.composite
def _spelled(draw: st.DrawFn, name: str) -> str:
    """A number like those of the documentation, mostly valid, with separators anywhere."""
    number = draw(st.sampled_from(EXAMPLES[name]))
    if draw(st.booleans()):
        place = draw(st.integers(0, len(number) - 1))
        number = number[:place] + draw(st.sampled_from("0123456789X")) + number[place + 1 :]
    if draw(st.booleans()):
        bare = re.sub(r"[ ./-]", "", number)
        joints = st.lists(st.sampled_from(["", "", "", *SEPARATORS]), min_size=len(bare), max_size=len(bare))
        number = "".join(map("".join, zip(bare, draw(joints), strict=True))).strip(SEPARATORS)
    if draw(st.booleans()):
        ends = [number[:-1] + end for end in "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"]
        number = next((end for end in ends if national_id._accepts(national_id._module(name), end)), number)
    return number


def _allows(form: IdForm, written: str) -> bool:
    counts = {separator: written.count(separator) for separator in SEPARATORS}
    return form.allows_length(len(written) - sum(counts.values()), counts) and form.allows(written)


FORMS = {name: IdForm(national_id._module(name)) for name in KNOWN}


@given(st.data(), st.sampled_from([name for name in KNOWN if EXAMPLES[name]]))
def test_a_form_allows_every_number_that_is_valid(data: st.DataObject, name: str) -> None:
    written = data.draw(_spelled(name))
    if len(written) <= MAX_CHARACTERS and national_id._accepts(national_id._module(name), written):
        assert _allows(FORMS[name], written)


@pytest.mark.parametrize("name", KNOWN)
def test_a_form_allows_the_valid_numbers_of_the_documentation(name: str) -> None:
    module = national_id._module(name)
    for number in EXAMPLES[name]:
        bare = re.sub(r"[ ./-]", "", number)
        spelled = [number, number.upper(), bare, "-".join(bare), bare[:3] + " " + bare[3:], number[:-1] + "0"]
        for written in spelled:
            if len(written) <= MAX_CHARACTERS and national_id._accepts(module, written):
                assert _allows(FORMS[name], written), written


def test_most_forms_know_the_lengths_and_say_no() -> None:
    known = [name for name in KNOWN if len(FORMS[name].lengths) <= MAX_CHARACTERS // 2]
    assert len(known) > len(KNOWN) / 2
    assert FORMS["us.ssn"].lengths == {9, 10, 11}
    assert FORMS["fi.hetu"].lengths == {11}
    assert FORMS["gb.nhs"].lengths == {10}
    assert FORMS["it.codicefiscale"].lengths == {11, 16}
    assert not FORMS["de.idnr"].allows("02345678901")
    assert not FORMS["es.nif"].allows("54A62315K")


@given(st.text(ALPHABET, max_size=MAX_CHARACTERS), st.text(ALPHABET + ",:/_+", max_size=6))
def test_the_quick_cleaning_gives_what_the_library_s_gives(number: str, deleted: str) -> None:
    assert id_form.clean(number, deleted) == util.clean(number, deleted)


_MODULE = """
import re
from stdnum.exceptions import InvalidFormat, InvalidLength, ValidationError
from stdnum.util import clean, isdigits

_re = re.compile({pattern!r})

def compact(number):
    return {compact}

def validate(number, length=5):
{validate}

def is_valid(number):
    try:
        return bool(validate(number))
    except ValidationError:
        return False
"""


def _written(
    folder: Path, validate: str, compact: str = "clean(number, ' -').strip()", pattern: str = "^1{4,6}$"
) -> Any:
    path = folder / f"module_{abs(hash((validate, compact, pattern)))}.py"
    lines = "\n".join("    " + line for line in validate.splitlines())
    path.write_text(_MODULE.format(validate=lines, compact=compact, pattern=pattern))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


_LENGTH = "if len(number) != 7:\n    raise InvalidLength()\n"


@pytest.mark.parametrize(
    ("validate", "more", "valid"),
    [
        # A number may leave as valid before its length is asked for.
        ("number = compact(number)\nif number in ('11111',):\n    return number\n" + _LENGTH, {}, "11111"),
        ("number = compact(number)\nif len(number) == 5:\n    return number\n" + _LENGTH, {}, "11111"),
        ("number = compact(number)\nfor one in number:\n    return number\n" + _LENGTH, {}, "11111"),
        # What is compact is longer or shorter than what is written.
        ("number = compact(number)\n" + _LENGTH, {"compact": "clean(number, 'A')"}, "A111A1111"),
        ("number = compact(number)\n" + _LENGTH, {"compact": "clean(number).zfill(7)"}, "1234"),
        ("number = compact(number)\n" + _LENGTH, {"compact": "'1' * 7"}, "1"),
        ("number = '1' + compact(number)\n" + _LENGTH, {}, "111111"),
        # First as it is written, then compact.
        (
            "if len(number) != 9:\n    raise InvalidLength()\nnumber = compact(number)\n" + _LENGTH,
            {},
            "111-111-1",
        ),
        # Names that are others here.
        ("len = lambda number: 7\nnumber = compact(number)\n" + _LENGTH, {}, "1"),
        ("number = compact(number)\nif len(number) != length:\n    raise InvalidLength()\n", {}, "11111"),
        # Patterns that look at a part.
        (
            "number = compact(number)\nif not _re.match(number):\n    raise InvalidFormat()",
            {"pattern": "1{4,6}"},
            "1" * 9,
        ),
        (
            "number = compact(number)\nif not _re.search(number):\n    raise InvalidFormat()",
            {"pattern": "1{4}$"},
            "1" * 9,
        ),
        (
            "number = compact(number)\nif not _re.search(number):\n    raise InvalidFormat()",
            {"pattern": "^1$|2"},
            "123",
        ),
    ],
)
def test_sources_that_would_deceive_a_hasty_reader(
    tmp_path: Path, validate: str, more: dict[str, str], valid: str
) -> None:
    module = _written(tmp_path, validate + "\nreturn number", **more)
    assert module.is_valid(valid)
    assert _allows(IdForm(module), valid)


def test_a_check_that_is_read_is_kept(tmp_path: Path) -> None:
    module = _written(
        tmp_path, "number = compact(number)\nif not _re.match(number):\n    raise InvalidFormat()\nreturn 1"
    )
    form = IdForm(module)
    assert form.deleted == frozenset(" -")
    assert form.lengths == {4, 5, 6}
    assert form.allows("11-11") and not form.allows("11-12") and not form.allows("11/11")


def test_a_module_without_source_allows_everything() -> None:
    module = ModuleType("without")
    exec("def validate(number): return number\ndef is_valid(number): return True", module.__dict__)
    assert _allows(IdForm(module), "1-2")


_PART = r"[A-Z0-9]{1,24}(?:(?<=\d)[a-z])?(?![A-Za-z0-9])"
_RUN = re.compile(rf"(?<![A-Za-z0-9])(?<![A-Za-z]_){_PART}(?:[ ./-]{_PART})*(?!_[A-Za-z])")


def _plain(modules: list[tuple[Any, frozenset[int]]], text: str) -> Iterator[Span]:
    """What NationalId finds, as it was first written: every window is shown to every module."""
    for run in _RUN.finditer(text):
        groups = [group.span() for group in re.finditer("[A-Za-z0-9]+", run[0])]
        first = 0
        while first < len(groups):
            for last in range(min(first + 7, len(groups)) - 1, first - 1, -1):
                start, end = run.start() + groups[first][0], run.start() + groups[last][1]
                if _is_found(modules, text, start, end):
                    yield start, end
                    first = last
                    break
            first += 1


def _is_found(modules: list[tuple[Any, frozenset[int]]], text: str, start: int, end: int) -> bool:
    written = text[start:end]
    compact = re.sub(r"[ ./-]", "", written)
    num_separators = len(written) - len(compact)
    if end - start > 32 or len(compact) < max(2 * (num_separators + 1), 6):
        return False
    if sum(map(str.isdecimal, compact)) < 5:
        return False
    if compact.isdecimal() and national_id._is_part(text, start, end, "-/" if num_separators else "-/_"):
        return False
    if CATALOGUE_BEFORE.search(text[max(0, start - CATALOGUE_WINDOW) : start]):
        return False
    return any(
        (not compact.isdecimal() or len(compact) in lengths) and national_id._is_number(module, written)
        for module, lengths in modules
    )


DETECTORS = {name: NationalId((name,)) for name in NAMED}


@given(st.data(), st.sampled_from(NAMED))
def test_what_every_module_is_shown_is_found(data: st.DataObject, name: str) -> None:
    modules = [(national_id._module(name), national_id._lengths(national_id._module(name)))]
    pieces = data.draw(st.lists(st.one_of(_spelled(name), st.text(ALPHABET + "_", max_size=9)), max_size=6))
    text = data.draw(st.sampled_from([" ", "-", ", ", ".", "\n", " isbn ", "_", "  "])).join(pieces)
    assert list(DETECTORS[name].find(text)) == list(_plain(modules, text))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("fi.hetu", "131052-308T"),
        ("fi.hetu", "131232-3088"),
        ("cz.bankaccount", "034278-0727558021/0100"),
        ("cz.bankaccount", "034278-0127528021/0100"),
        ("es.nif", "X-2482300-W"),
        ("us.ssn", "536-90-4399"),
    ],
)
def test_ids_with_hyphens_of_their_own_are_found(name: str, number: str) -> None:
    assert national_id._accepts(national_id._module(name), number)
    assert list(NationalId((name,)).find(f"it is {number}, so")) == [(6, 6 + len(number))]


QUESTION_FAMILIES = ["digit groups", "digits of four", "card-like", "dates", "id groups", "id slashes"]
QUESTION_FAMILIES += ["different digit groups", "different numbers", "different ids", "IBAN groups"]


@pytest.mark.parametrize("family", QUESTION_FAMILIES)
def test_the_library_is_asked_little(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    accepts = national_id._accepts

    def counted(module: Any, written: str) -> bool:
        nonlocal asked
        asked += 1
        return accepts(module, written)

    detector = NationalId(NAMED[:8])
    monkeypatch.setattr(national_id, "_accepts", counted)
    counts = []
    for size in (10_000, 20_000):
        asked = 0
        list(detector.find(FAMILIES[family](size)))
        counts.append(asked)
        # A group takes two characters, and begins seven candidates.
        assert asked <= size / 2 * 7 * len(NAMED[:8]) * MAX_QUESTIONS
        # The forms leave far less of that: without them there is a question for nearly each character.
        assert asked <= size
    assert all(second <= 2.2 * first + 20 for first, second in pairwise(counts))


@pytest.mark.parametrize("family", ["digit groups", "digit groups with hyphens", "id groups", "one capital"])
def test_memory_is_that_of_a_few_groups(family: str) -> None:
    detector = NationalId(NAMED[:8])
    text = FAMILIES[family](50_000)
    deque(detector.find(text[:1000]), maxlen=0)
    tracemalloc.start()
    try:
        deque(detector.find(text), maxlen=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A list of the groups of such a run takes more than 2 MB.
    assert peak < 500_000
