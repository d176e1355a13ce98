"""What each strategy does beyond the law: bytes, resume, staleness, and what a death does."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any

import pytest
from safetensors import safe_open

from tests.training.strategies.conftest import Cases
from tests.training.strategies.program import CASES, LAG_SECONDS, RESUMED
from tests.training.times import check_times
from tests.training.tiny import NUM_TRAIN

# A test waits for the launches of its cases, each of which imports torch in every process.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


OFTEN = ("single", "ring-2", "ring-overlap-4", "sharded-2", "servers-2", "async-4", "local-2-nesterov")
"""Cases of `make test`; the others are of a kind with one of them."""


def often(cases: Iterable[str]) -> list[Any]:
    """Parameters of which those that are not `OFTEN` run in `make test-full` alone."""
    return [case if case in OFTEN else pytest.param(case, marks=pytest.mark.rare) for case in cases]


def count_parameters(cases: Cases) -> int:
    return int(cases.value("single")["parameters"])


def last_checkpoint(cases: Cases, case: str, name: str) -> dict[str, list[float]]:
    path = cases.place(case) / "checkpoints" / "step-000000020" / f"{name}.safetensors"
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key).flatten().tolist() for key in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case == "sharded-2" else pytest.mark.rare) for case in RESUMED]
)
def test_a_killed_training_goes_on_from_its_checkpoint(cases: Cases, case: str) -> None:
    resumed = f"{case}-resumed"
    assert cases.value(resumed)["resumed_from"] in {4, 8, 12, 16}
    assert cases.value(resumed)["totals"]["sequences"] == 2 * NUM_TRAIN
    assert len(cases.curve(resumed, "loss")) == 20
    assert cases.curve(resumed, "loss") == pytest.approx(cases.curve(case, "loss"), rel=1e-4)
    assert cases.curve(resumed, "ids_hash") == cases.curve(case, "ids_hash")


@pytest.mark.parametrize("case", ["servers-2", "sharded-2"])
def test_a_state_that_is_spread_over_processes_is_whole_in_the_checkpoint(cases: Cases, case: str) -> None:
    for kind in ("model", "optimizer"):
        single, spread = last_checkpoint(cases, "single", kind), last_checkpoint(cases, case, kind)
        assert spread.keys() == single.keys()
        for key, values in single.items():
            assert spread[key] == pytest.approx(values, rel=1e-2, abs=1e-5), key


def test_a_divided_model_is_exported_whole(cases: Cases) -> None:
    exported = [cases.place(case) / "model" / "model.safetensors" for case in ("single", "sharded-2")]
    with safe_open(exported[0], "pt") as single, safe_open(exported[1], "pt") as divided:
        assert set(single.keys()) == set(divided.keys())
        for key in single.keys():  # noqa: SIM118
            assert divided.get_tensor(key).flatten().tolist() == pytest.approx(
                single.get_tensor(key).flatten().tolist(), rel=1e-2, abs=1e-5
            ), key


def test_a_local_checkpoint_has_every_ranks_moments_and_the_outer_momentum(cases: Cases) -> None:
    kept = last_checkpoint(cases, "local-2-nesterov", "optimizer")
    names = [key.removeprefix("exp_avg/") for key in kept if key.startswith("exp_avg/")]
    for name in names:
        assert kept[f"rank1.exp_avg/{name}"] != kept[f"exp_avg/{name}"]
        assert f"outer_momentum/{name}" in kept


@pytest.mark.rare
def test_bytes_are_what_the_algorithms_send(cases: Cases) -> None:
    size = 4 * count_parameters(cases)
    # A step of local_sgd without an average sends nothing but the numbers, around a ring of two.
    numbers = cases.curve("local-2-nesterov", "sent_bytes")[0] // 2
    assert 0 < numbers <= 100
    assert set(cases.curve("single", "sent_bytes")) == {0}
    # A ring all-reduce sends 2 (W - 1) times the tensor over all ranks.
    for case, ranks in (("ring-2", 2), ("ring-overlap-4", 4), ("ddp-4", 4)):
        assert set(cases.curve(case, "sent_bytes")) == {2 * (ranks - 1) * (size + numbers)}, case
    # Gathering parameters and dividing sums are half a ring each; the norm's square goes around on its own.
    assert set(cases.curve("sharded-2", "sent_bytes")) == {2 * (size + numbers)}
    assert set(cases.curve("ring-fp16-2", "sent_bytes")) == {2 * (size // 2 + numbers + 8)}
    # A server takes a gradient of each rank and gives it parameters; the numbers go to server 0 and back.
    assert set(cases.curve("servers-1", "sent_bytes")) == {2 * 2 * (size + numbers)}
    assert set(cases.curve("servers-2", "sent_bytes")) == {2 * 2 * (size + numbers)}
    # Two local steps, then one average.
    assert cases.curve("local-2-nesterov", "sent_bytes") == [2 * numbers, 2 * (size + numbers)] * 10


@pytest.mark.rare
def test_the_log_says_what_a_ring_would_have_sent(cases: Cases) -> None:
    for case in ("single", "ring-2", "ring-overlap-4", "ddp-4", "sharded-2"):
        assert cases.curve(case, "ring_bytes") == cases.curve(case, "sent_bytes"), case
    for case in ("servers-1", "local-2-nesterov"):
        assert cases.curve(case, "ring_bytes") == cases.curve("ring-2", "ring_bytes"), case
    assert cases.curve("async-4", "ring_bytes") == cases.curve("ddp-4", "ring_bytes")


@pytest.mark.parametrize("case", often(CASES))
def test_the_parts_of_a_step_add_up_to_it(cases: Cases, case: str) -> None:
    check_times(cases.log(case))


@pytest.mark.parametrize("case", often(case for case in CASES if case not in {"single", "async-4"}))
def test_waiting_for_a_slower_rank_is_communication_not_computing(cases: Cases, case: str) -> None:
    """The last rank rests before every second step; rank 0 waits where its strategy waits."""
    waits, computing = (cases.curve(case, f"{part}_seconds") for part in ("communication", "compute"))
    # The rest is three steps or more; it would make either time at least twice as long.
    assert median(waits[1::2]) > 1.5 * median(waits[0::2])
    assert median(computing[1::2]) < 2 * median(computing[0::2])


def test_an_asynchronous_rank_waits_at_the_bound(cases: Cases) -> None:
    """With a bound of one step rank 0 cannot leave behind a rank that rests in ten of twenty."""
    assert sum(cases.curve("async-4", "communication_seconds")) > 5 * LAG_SECONDS


def test_tensors_that_go_through_host_memory_arrive_the_same(cases: Cases) -> None:
    assert cases.value("descent-staged-2") == cases.value("descent-ring-2")


@pytest.mark.rare
def test_fp16_on_the_wire_stays_close_to_fp32(cases: Cases) -> None:
    assert cases.curve("ring-fp16-2", "loss") == pytest.approx(cases.curve("ring-2", "loss"), rel=2e-3)
    assert cases.curve("ring-fp16-2", "loss") != cases.curve("ring-2", "loss")


@pytest.mark.parametrize("case", ["local-2-nesterov", "async-4"])
def test_inexact_strategies_learn_and_account_for_every_sequence(cases: Cases, case: str) -> None:
    totals, loss = cases.value(case)["totals"], cases.curve(case, "loss")
    assert totals["sequences"] == sum(cases.curve(case, "sequences")) == 2 * NUM_TRAIN
    assert totals["validation_loss"] < loss[0] - 0.1


def test_staleness_is_measured_and_bounded(cases: Cases) -> None:
    bound, ranks = 1, 4
    assert max(cases.curve("async-4", "steps_ahead_max")) <= bound
    # While a rank computes one gradient, another goes from `bound` steps behind it to `bound` ahead at most,
    # with a push under way at either end.
    most = cases.curve("async-4", "staleness_max")
    assert 0 < max(most) <= (ranks - 1) * (2 * bound + 2)
    # Each rank pushes once a step, unless it had no rows: in the last batch of each epoch one of four.
    assert 20 * ranks - 2 <= sum(cases.curve("async-4", "updates")) <= 20 * ranks
    for mean, top in zip(cases.curve("async-4", "staleness"), most, strict=True):
        assert 0 <= mean <= top
    assert set(cases.curve("async-4", "ranks")) == {ranks}


def test_the_others_go_on_without_a_dead_worker(cases: Cases) -> None:
    totals = cases.value("lost-worker")["totals"]
    assert totals["step"] == len(cases.curve("lost-worker", "loss")) == 20
    assert totals["sequences"] < 2 * NUM_TRAIN
    ranks = cases.curve("lost-worker", "ranks")
    assert (ranks[0], ranks[-1]) == (2, 1)
    output = cases.output("lost-worker")
    assert "rank 1 on host" in output
    assert "SIGKILL" in output
    assert "rank 1 is gone; the others go on without it and its sequences" in output


def test_a_dead_server_is_named_with_the_remedy(cases: Cases) -> None:
    text = cases.error("lost-server")
    assert text.startswith("rank 2 of 3 on host ")
    assert "SIGKILL" in text.splitlines()[0]
    assert "rank 2 was parameter server 0; what it held is lost" in text
    assert "the same command goes on" in text
