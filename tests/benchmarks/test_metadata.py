"""The driver's parts on synthetic metadata: every part does its work, and its size is that of the corpus."""

from __future__ import annotations

import json

import pytest

from benchmarks import metadata
from pipelines.pack.stage import MOST_FILES


@pytest.mark.parametrize("part", sorted(metadata.PARTS))
def test_every_part_is_measured_and_grows_with_the_corpus(part: str) -> None:
    small, large = (metadata.measure(part, terabytes, 0.3) for terabytes in (0.0005, 0.002))
    assert small["part"] == part
    assert small["seconds"] > 0 and small["memory_bytes"] >= 0
    if part == "footers":
        assert (small["footers"], large["footers"]) == (71, 281)
    else:
        assert 3.7 <= large["items"] / small["items"] <= 4.3


def test_the_files_of_a_layout_have_a_bound_whatever_the_corpus() -> None:
    row = metadata.measure("layout", 1, 0.3)
    assert MOST_FILES / 2 < row["files"] <= MOST_FILES
    assert row["items"] == 32 * row["files"] - 32 + row["items"] % 32
    assert row["rows_per_group"] == 256 * 16
    assert row["sent_bytes"] < 16 * row["items"] / 3


def test_a_command_measures_in_processes_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert metadata.main(["--terabytes", "0.0001", "--parts", "buckets", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["part"], row["items"]) == ("buckets", 2 * 2**5)
