"""`--input a b c`, as a shell expands it, means the same as the option repeated."""

import pytest

from pipelines.cli.variadic import repeat_options


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--input", "a", "b", "--lake", "l"], ["--input", "a", "--input", "b", "--lake", "l"]),
        (["--input", "a", "--input", "b"], ["--input", "a", "--input", "b"]),
        (["--lake", "l", "--input", "a", "b"], ["--lake", "l", "--input", "a", "--input", "b"]),
        (["--force", "--input", "-", "x"], ["--force", "--input", "-", "--input", "x"]),
        (["--lake", "l", "stray"], ["--lake", "l", "stray"]),
        (["--input", "a", "--", "b"], ["--input", "a", "--", "b"]),
    ],
)
def test_values_are_repeated(given: list[str], expected: list[str]) -> None:
    assert repeat_options(given, {"--input"}) == expected
