"""The parts of the strategies that are logic alone: balance, buckets, meetings, clocks, configuration."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conf import ConfigError
from conf.strategy import StrategyConfig
from pipelines.settings import load
from training.optim import FlatGradients
from training.strategies import staging
from training.strategies.group import choose_backend
from training.strategies.meeting import Clocks, Meeting
from training.strategies.overlap import Buckets, cut_buckets
from training.strategies.sharding import assign_by_size
from training.strategies.staging import Exchange, needs_host

SECONDS = 60


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60), st.integers(1, 8))
def test_servers_share_all_parameters_in_balance(sizes: list[int], num_servers: int) -> None:
    members = assign_by_size(sizes, num_servers)
    assert sorted(index for group in members for index in group) == list(range(len(sizes)))
    loads = [sum(sizes[index] for index in group) for group in members]
    # No server is fuller than an equal share by more than its own smallest parameter.
    for group, held in zip(members, loads, strict=True):
        assert not group or held - min(sizes[index] for index in group) <= sum(sizes) / num_servers
    assert members == assign_by_size(sizes, num_servers)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.integers(1, 150))
def test_buckets_are_consecutive_and_no_larger_than_allowed(sizes: list[int], largest: int) -> None:
    buckets = cut_buckets(sizes, largest)
    assert [index for bucket in buckets for index in bucket] == list(range(len(sizes)))
    for bucket in buckets:
        assert len(bucket) == 1 or sum(sizes[index] for index in bucket) <= largest
    for first, second in pairwise(buckets):
        assert sum(sizes[index] for index in first) + sizes[second[0]] > largest


def test_a_bucket_is_sent_when_backward_has_finished_it_and_only_then() -> None:
    model = torch.nn.Sequential(*(torch.nn.Linear(4, 4, bias=False) for _ in range(4)))
    gradients = FlatGradients(model.parameters())
    sent: list[tuple[int, torch.Tensor]] = []
    buckets = Buckets(
        list(model.parameters()),
        gradients.buffer,
        2 * 16 * 4,
        lambda part, number: sent.append((number, part.clone())),
    )
    rows = torch.randn(3, 4)
    model(rows).sum().backward()
    assert sent == [], "an earlier micro-batch is not the last word"
    buckets.arm()
    model(rows).sum().backward()
    assert [number for number, _ in sent] == [1, 0], "the last layers are ready first"
    assert torch.equal(torch.cat([sent[1][1], sent[0][1]]), gradients.buffer)
    assert len(buckets.finish()) == 2
    # A rank without rows in a step has no backward; its part is sent all the same, by finish.
    sent.clear()
    assert len(buckets.finish()) == 2
    assert [number for number, _ in sent] == [1, 0]


def in_thread(body: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


def test_a_meeting_gives_everyone_the_same_and_joins_in_order() -> None:
    meeting: Meeting[str, str] = Meeting(range(3), "".join)
    found: dict[int, list[str]] = {0: [], 1: [], 2: []}

    def work(worker: int) -> None:
        for letter in "xyz":
            found[worker].append(meeting.arrive(worker, f"{worker}{letter}"))

    threads = [in_thread(partial(work, worker)) for worker in (2, 0, 1)]
    for thread in threads:
        thread.join(SECONDS)
    assert set(map(tuple, found.values())) == {("0x1x2x", "0y1y2y", "0z1z2z")}


def test_a_meeting_does_not_wait_for_who_has_left() -> None:
    meeting: Meeting[int, int] = Meeting(range(3), sum)
    found: list[int] = []

    def work(worker: int) -> None:
        found.append(meeting.arrive(worker, worker))

    threads = [in_thread(partial(work, worker)) for worker in (1, 2)]
    meeting.leave(0)
    for thread in threads:
        thread.join(SECONDS)
    assert found == [3, 3]


@given(st.integers(0, 3), st.lists(st.integers(0, 2), max_size=40))
def test_nobody_starts_a_step_further_ahead_than_allowed(bound: int, order: list[int]) -> None:
    """Workers take turns as `order` says; one that must wait is passed over until it may go on."""
    clocks, done = Clocks(range(3), bound), [0, 0, 0]
    for worker in order:
        if done[worker] - min(done) > bound:
            continue
        assert clocks.wait_for_turn(worker) == done[worker] - min(done)
        clocks.tick(worker)
        done[worker] += 1


def test_a_worker_that_is_ahead_waits_for_the_slowest_or_until_it_has_left() -> None:
    clocks = Clocks(range(2), 1)
    clocks.tick(0)
    clocks.tick(0)
    started = threading.Event()

    def work() -> None:
        clocks.wait_for_turn(0)
        started.set()

    thread = in_thread(work)
    assert not started.wait(0.2)
    clocks.tick(1)
    assert started.wait(SECONDS)
    thread.join(SECONDS)
    clocks.tick(0)
    clocks.tick(0)
    clocks.leave(1)
    assert clocks.wait_for_turn(0) == 0


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.strategy.name=rings", "train.strategy.name = 'rings'"),
        ("train.strategy={ring: {overlap: true, compression: fp16}}", "set one of them to its default"),
        (
            "train.strategy={name: local_sgd, local_sgd: {local_steps: 30}}",
            "validate_every = 100 .*local_steps = 30",
        ),
        (
            "train={strategy: {name: ddp, ddp: {shard: true}}, optimizer: adafactor}",
            "optimizer = adafactor does not go with .*shard = true.*; use adamw, or leave shard out",
        ),
        (
            "train={strategy: {name: ddp, ddp: {shard: true}}, compile: true}",
            "compile = true does not go .* set one of them to false",
        ),
        (
            "train={strategy: {name: local_sgd, local_sgd: {local_steps: 10}}, precision: fp16}",
            "precision = fp16 does not go with strategy.name = local_sgd: .*; use bf16, or .* ring or ddp",
        ),
        (
            "train={strategy: {name: parameter_server}, precision: fp16}",
            "precision = fp16 does not go with .*parameter_server: .*; use bf16, or .* ring or ddp",
        ),
        ("train.strategy.parameter_server.server=2", "did you mean train.strategy.parameter_server.servers"),
    ],
)
def test_what_does_not_fit_is_refused_with_key_and_remedy(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(None, [override])


def test_a_checkpoint_outlives_a_change_between_exact_strategies_only() -> None:
    exact: list[dict[str, Any]] = [
        {},
        {"name": "ring", "ring": {"overlap": True}},
        {"name": "ddp"},
        {"name": "parameter_server"},
    ]
    exact.append({"name": "ddp", "ddp": {"shard": True}})
    assert [StrategyConfig(**section).chosen.identity() for section in exact] == [{}] * 5
    others: list[dict[str, Any]] = [
        {"ring": {"compression": "fp16"}},
        {"name": "local_sgd"},
        {"name": "local_sgd", "local_sgd": {"outer": "nesterov"}},
        {"name": "parameter_server", "parameter_server": {"mode": "async"}},
    ]
    identities = [StrategyConfig(**section).chosen.identity() for section in others]
    assert all(identities)
    assert len({str(sorted(identity.items())) for identity in identities}) == len(others)


@pytest.mark.parametrize("name", ["auto", "single", "ring", "ddp", "local_sgd", "parameter_server"])
def test_the_section_that_is_named_answers_whatever_the_others_have(name: str) -> None:
    others = {
        "ring": {"compression": "fp16"},
        "ddp": {"shard": True},
        "local_sgd": {"local_steps": 30},
        "parameter_server": {"mode": "async", "servers": 2},
    }
    full = StrategyConfig.model_validate({"name": name, **others})
    section = "ring" if name == "auto" else name
    alone = StrategyConfig.model_validate(
        {"name": name, **{key: others[key] for key in {section} & others.keys()}}
    )
    assert full.chosen == alone.chosen
    has_servers = name == "parameter_server"
    assert full.chosen.num_servers == 2 * has_servers
    assert list(full.chosen.expendable(4)) == ([1, 2, 3] if has_servers else [])
    assert full.chosen.for_one_rank == (name == "single")
    assert bool(full.chosen.identity()) == (name not in ("single", "ddp"))


@pytest.mark.parametrize(
    ("device", "backend", "staged"),
    [("cpu", "gloo", False), ("cpu", "nccl", False), ("cuda:1", "gloo", True), ("cuda:1", "nccl", False)],
)
def test_only_tensors_of_ranks_that_share_a_gpu_go_through_host_memory(
    device: str, backend: str, staged: bool
) -> None:
    assert needs_host(torch.device(device), backend) == staged
    uses_nccl = choose_backend(device != "cpu", backend) == "cpu:gloo,cuda:nccl"
    assert uses_nccl == (device != "cpu" and not staged)


@pytest.mark.parametrize("staged", [False, True])
def test_an_exchange_puts_the_result_where_the_tensor_is(
    monkeypatch: pytest.MonkeyPatch, staged: bool
) -> None:
    monkeypatch.setattr(staging, "needs_host", lambda device, backend: staged)
    whole = torch.arange(12.0)
    part = whole[3:9].view(2, 3)
    sent: list[torch.Tensor] = []

    def start(tensor: torch.Tensor) -> str:
        sent.append(tensor)
        return "the handle"

    exchange = Exchange(part, start)
    assert (sent[0].data_ptr() == part.data_ptr()) != staged
    assert torch.equal(sent[0], part)

    def wait(handle: str) -> None:
        assert handle == "the handle"
        sent[0].mul_(-1)

    exchange.finish(wait)
    assert whole.tolist() == [0, 1, 2, -3, -4, -5, -6, -7, -8, 9, 10, 11]
