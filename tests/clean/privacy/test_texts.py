"""The table of texts that somebody wrote to break the detectors: every one of them, and the measure."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.clean.privacy import redactor
from pipelines.clean.privacy.redactor import Redacted, Redactor
from pipelines.text.personal_data import KINDS
from tests.clean.privacy.measure import CONFIG, Case, cases, main

REDACTOR = Redactor(CONFIG)
CASES = list(cases())


def test_the_table_has_texts_both_ways_for_each_kind() -> None:
    go = Counter(case.kind for case in CASES if case.num_marked)
    stay = Counter(case.kind for case in CASES if not case.num_marked)
    assert len(CASES) >= 300
    assert all(go[kind] >= 20 and stay[kind] >= 5 for kind in KINDS)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.kind}-{number}" for number, case in enumerate(CASES)])
def test_what_is_marked_goes_and_the_rest_stays(case: Case) -> None:
    found = REDACTOR.redact(case.text)
    assert found.text == case.redacted
    assert found.counts == ({case.kind: case.num_marked} if case.num_marked else {})
    assert REDACTOR.redact(found.text) == Redacted(found.text)


@given(st.lists(st.sampled_from([case.text for case in CASES]), min_size=1, max_size=12), st.integers(1, 200))
@example([case.text for case in CASES], 1)
@example([case.text for case in CASES], 512)
def test_a_large_text_is_looked_at_some_lines_at_a_time_with_the_same_result(
    texts: list[str], num_bytes: int
) -> None:
    text = "\n".join(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redactor, "_LARGE", 2**30)
        expected = REDACTOR.redact(text)
        patch.setattr(redactor, "_LARGE", 0)
        patch.setattr(redactor, "_LINES_BYTES", num_bytes)
        assert REDACTOR.redact(text) == expected


def test_the_measure_of_the_documentation_is_that_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    documented = Path(__file__).parents[3].joinpath("docs", "corpus.md").read_text(encoding="utf-8")
    for row in printed.out.splitlines()[1:]:
        assert f"    {row}\n" in documented


def test_lines_of_logs_and_what_is_no_address(shared_data: Path) -> None:
    folder = shared_data.parent / "cases"
    public = REDACTOR.redact(folder.joinpath("ip_behind_operator.txt").read_text())
    assert public.counts == {"ip_address": 5}
    assert "DST=10.0.0.1" in public.text
    lines = folder.joinpath("emails_that_are_none.txt").read_text().splitlines()
    assert [REDACTOR.redact(line).text for line in lines] == [*lines[:5], "[EMAIL]"]
