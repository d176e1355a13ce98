"""The table of the inference benchmark: medians without the first round, and the ratios that are wanted."""

from __future__ import annotations

import pytest

from benchmarks import inference


def test_ratios_are_of_the_medians_without_the_first_round() -> None:
    rates = {"pipeline": [1, 10, 10], "process": [5, 20, 22], "cluster": [2, 15, 15], "cluster2": [2, 42, 42]}
    measures = {
        name: {"rows_per_second": found, "rows_per_cpu_second": found} for name, found in rates.items()
    }
    lines = inference.text({"rows": 7, "machine": {}, "measures": measures}).splitlines()
    assert "one process over the pipeline, 1 core: 2.10" in lines
    assert "Spark on 2 cores over one process on 1: 2.00" in lines
    assert "Spark on 2 cores over Spark on 1: 2.80" in lines


@pytest.mark.rare
def test_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert inference.main(["--rows", "40", "--rounds", "1", "--only", "pipeline,process"]) == 0
    assert "one process over the pipeline, 1 core: " in capsys.readouterr().out
