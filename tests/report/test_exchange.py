"""What ranks exchanged: staleness and bytes, from the lines of a log to the drawing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.report import exchange_charts
from pipelines.report.exchange import staleness, traffic
from pipelines.report.facts import Curve, Spending
from tests.report.page import Page

CONFIG = json.dumps({"train": {"strategy": {"parameter_server": {"max_staleness": 2}}}})


def line(step: int, **more: Any) -> dict[str, Any]:
    return {"step": step, "loss": 9.0 - step, **more}


def stale(step: int, mean: float, most: int, updates: int, ranks: int = 2, ahead: int = 1) -> dict[str, Any]:
    return line(
        step,
        staleness=mean,
        staleness_max=most,
        updates=updates,
        steps_ahead_max=ahead,
        ranks=ranks,
    )


def test_staleness_is_the_mean_over_all_gradients_not_over_the_lines() -> None:
    found = staleness([stale(2, 0.0, 0, 1, ranks=1), stale(1, 2.0, 4, 3, ahead=2)], CONFIG)
    assert found is not None
    assert found.mean == pytest.approx(3 * 2.0 / 4)
    assert (found.most, found.ahead, found.bound) == (4, 2, 2)
    assert found.ranks == (2, 1)
    assert found.means == Curve((1, 2), (2.0, 0.0))
    assert found.peaks == Curve((1, 2), (4.0, 0.0))


@pytest.mark.parametrize("config", ["", "[]", '{"train": 7}', CONFIG.replace("2", '"many"')])
def test_a_bound_that_the_configuration_does_not_tell_is_not_known(config: str) -> None:
    found = staleness([stale(1, 1.0, 1, 2)], config)
    assert found is not None
    assert found.bound is None


def test_ranks_that_wait_for_each_other_have_no_staleness() -> None:
    assert staleness([line(1, sent_bytes=8)], CONFIG) is None


def test_losses_are_over_the_bytes_sent_until_then() -> None:
    points = [
        line(3, sent_bytes=50, ring_bytes=100, validation_loss=7.5),
        line(1, sent_bytes=1, ring_bytes=100),
        line(2, sent_bytes=1, ring_bytes=100),
    ]
    found = traffic(points)
    assert found is not None
    assert (found.total, found.ring_total) == (52, 300)
    assert found.loss == Spending((1.0, 2.0, 52.0), (8.0, 7.0, 6.0))
    assert found.validation == Spending((52.0,), (7.5,))
    assert found.ring_loss == Spending((100.0, 200.0, 300.0), (8.0, 7.0, 6.0))


def test_a_ring_is_not_compared_with_itself_nor_a_log_that_does_not_tell() -> None:
    same = traffic([line(1, sent_bytes=9, ring_bytes=9)])
    silent = traffic([line(1, sent_bytes=9, ring_bytes=90), line(2, sent_bytes=9)])
    assert same is not None
    assert silent is not None
    assert (same.ring_total, bool(same.ring_loss)) == (9, False)
    assert (silent.ring_total, bool(silent.ring_loss)) == (None, False)


def test_one_rank_sends_nothing_and_values_that_are_no_bytes_do_not_count() -> None:
    assert traffic([line(1, sent_bytes=0, ring_bytes=0)]) is None
    found = traffic([line(1, sent_bytes=-5), line(2, sent_bytes="many"), line(3, sent_bytes=4)])
    assert found is not None
    assert found.total == 4
    assert found.loss == Spending((4.0,), (6.0,))


def test_a_stretch_of_the_axis_is_one_point_with_the_mean() -> None:
    # 1000 and 1001 lie within 1/60 of a power of ten of each other, 2000 lies further.
    found = exchange_charts.averaged(Spending((1000.0, 1001.0, 2000.0), (4.0, 3.0, 1.0)))
    assert found == Spending((1001.0, 2000.0), (3.5, 1.0))


def test_the_drawing_says_both_sums_of_bytes() -> None:
    found = traffic([line(step, sent_bytes=1000, ring_bytes=20_000_000) for step in range(1, 900)])
    assert found is not None
    drawn = Page(str(exchange_charts.bytes_chart(found)))
    labels = {svg["aria-label"] for svg in drawn.all("svg")}
    assert labels == {
        "Training loss by bytes sent, on a logarithmic axis: 899 kB in all; a ring would have sent 18.0 GB"
    }
    # Ticks at powers of ten, with their unit.
    assert "10 kB" in drawn.text
    assert "10 GB" in drawn.text


def test_a_cheap_beginning_does_not_take_the_axis() -> None:
    found = traffic([line(1, sent_bytes=100), *(line(step, sent_bytes=10**9) for step in range(2, 9))])
    assert found is not None
    text = Page(str(exchange_charts.bytes_chart(found))).text
    assert "10 MB" in text
    assert " B" not in text


def test_the_drawing_of_staleness_has_mean_and_most() -> None:
    found = staleness([stale(step, 1.0, 3, 2) for step in range(1, 30)], CONFIG)
    assert found is not None
    drawn = Page(str(exchange_charts.staleness_chart(found)))
    assert [svg["aria-label"] for svg in drawn.all("svg")] == [
        "Staleness by step: updates by others that a gradient had not seen, 1.00 on average and 3 at most"
    ] * 2
