"""The benchmark of hostile texts: what it tells, and that a few of its calls are linear."""

from __future__ import annotations

import pytest

from benchmarks.hostile import Call, faults, measure
from benchmarks.hostile_python import PYTHON_FAMILIES
from benchmarks.hostile_texts import FAMILIES


def test_what_is_slow_not_linear_large_or_fails_is_told() -> None:
    made = [
        Call("a", "x", 10**6, 1.0, 0),
        Call("a", "x", 2 * 10**6, 4.0, 0),
        Call("b", "x", 10**6, 9.0, 10**9),
        Call("c", "x", 10**6, 0.5, 0),
        Call("c", "x", 2 * 10**6, 1.0, 0),
        Call("d", "x", 10**6, 0.1, 0, "KeyError: 1"),
    ]
    found = faults(made)
    assert set(found) == {"a | x", "b | x", "d | x"}
    assert "not linear" in found["a | x"][0]
    assert [problem.partition(":")[0] for problem in found["b | x"]] == ["slow", "large"]


@pytest.mark.parametrize("name", [*FAMILIES, *PYTHON_FAMILIES])
def test_families_have_the_size_that_is_asked_for(name: str) -> None:
    size = 20_000
    made = len((FAMILIES | PYTHON_FAMILIES)[name](size).encode())
    assert 0.3 * size <= made <= 1.5 * size


@pytest.mark.parametrize(
    ("step", "family"),
    [
        ("repair", "marks of ten classes"),
        ("repair", "mojibake beginnings"),
        ("block-list of words", "marks of two classes"),
        ("read html trafilatura", "marks of two classes"),
        ("read python", "docstring that begins with line feeds"),
        ("read python", "formatted values"),
        ("read python", "wide name"),
        ("read warc", "WARC folded header"),
        ("read chat messages", "carriage returns"),
        ("read squad context", "one letter"),
        ("read mo", "percent signs"),
        ("read po string", "curly brackets"),
        ("all rules", "different lines"),
        ("privacy", "e-mail domains"),
    ],
)
def test_a_step_is_linear(step: str, family: str) -> None:
    measure(step, family, 1000)
    small, large = (min(measure(step, family, size).seconds for _ in range(2)) for size in (40_000, 160_000))
    # Quadratic steps took 16 times as long; below the second number the clock says little.
    assert large < max(9 * small, 0.15)
