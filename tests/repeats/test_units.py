"""Units on plain strings against a reference that splits lines in Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.repeats.units import excerpts_of, units_of, without
from tests.decontaminate.support import words

LINES = st.lists(st.sampled_from(["", "  ", "\t", "a b", "A, b!", "x", "你好", "--", "É é"]), max_size=12)
TEXTS = st.lists(st.builds("\n".join, LINES), max_size=5)


def reference(text: str, by_paragraph: bool) -> list[str]:
    """The units of a text: lines, or runs of lines up to the next one behind a blank line."""
    lines = text.splitlines(keepends=True) if text else []
    if not by_paragraph:
        return lines
    units: list[str] = []
    for number, line in enumerate(lines):
        behind_blank = number > 0 and not lines[number - 1].strip() and bool(units[-1].strip())
        if number == 0 or (line.strip() and behind_blank):
            units.append(line)
        else:
            units[-1] += line
    return units


@pytest.mark.parametrize("by_paragraph", [False, True])
@settings(max_examples=150)
@given(texts=TEXTS)
def test_units_and_their_words_are_those_of_the_reference(by_paragraph: bool, texts: list[str]) -> None:
    found = units_of(pa.array(texts, pa.string()), by_paragraph)
    expected = [reference(text, by_paragraph) for text in texts]
    assert np.diff(found.bounds).tolist() == [len(units) for units in expected]
    flat = [unit for units in expected for unit in units]
    assert found.num_words.tolist() == [len(words(unit)) for unit in flat]
    same = {tuple(words(unit)) for unit in flat}
    assert len(set(found.hashes.tolist())) == len(same)
    for one, hash_one in zip(flat, found.hashes, strict=True):
        for other, hash_other in zip(flat, found.hashes, strict=True):
            assert (words(one) == words(other)) == (hash_one == hash_other)


@pytest.mark.parametrize("by_paragraph", [False, True])
@settings(max_examples=150)
@given(texts=TEXTS, data=st.data())
def test_what_stays_is_the_text_without_the_units(
    by_paragraph: bool, texts: list[str], data: st.DataObject
) -> None:
    units = [reference(text, by_paragraph) for text in texts]
    flags = [[data.draw(st.booleans()) for _ in of_text] for of_text in units]
    drop = np.array([flag for of_text in flags for flag in of_text], dtype=np.bool_)
    kept = without(pa.array(["cut off", *texts], pa.string())[1:], drop, by_paragraph).to_pylist()
    for text, of_text, gone, found in zip(texts, units, flags, kept, strict=True):
        if not any(gone):
            assert found == text
            continue
        left = "".join(unit for unit, flag in zip(of_text, gone, strict=True) if not flag)
        lines = left.rstrip().split("\n")
        while lines and not lines[0].strip():
            lines.pop(0)
        assert found == "\n".join(lines)


def test_excerpts_are_the_beginning_of_their_unit() -> None:
    texts = pa.array(["one\n\n  two three\n", "你好你好"])
    assert excerpts_of(texts, np.array([2, 3]), False, 3) == ["two", "你好你"]
