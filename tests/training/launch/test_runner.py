"""The HorovodRunner call: np below, above and at zero, output, values, failures, Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import threading
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.support.ranks import ranks_of_this_process
from training.errors import NotEnoughSlotsError, RankFailedError, TrainingError
from training.launch import Elastic, HorovodRunner, LaunchOptions, launch_local
from training.launch.options import OptionChanges, options_of


def main(**kwargs: Any) -> Any:
    import horovod.torch as hvd
    import torch

    from training.launch import log_to_driver

    hvd.init()
    print(f"printed by {hvd.rank()}")
    log_to_driver(f"logged by {hvd.rank()}\nin two lines")
    total = hvd.allreduce(torch.ones(1) * hvd.rank(), op=hvd.Sum)
    return {"size": hvd.size(), "rank": hvd.rank(), "sum": float(total[0]), **kwargs}


def light() -> int:
    from training.launch import current_rank

    return current_rank().world_size


def test_np_below_zero_runs_ranks_on_the_driver_without_spark(capfd: pytest.CaptureFixture[str]) -> None:
    value = HorovodRunner(np=-2, driver_log_verbosity="all").run(main, epochs=3)
    assert value == {"size": 2, "rank": 0, "sum": 1.0, "epochs": 3}
    shown = capfd.readouterr().out.splitlines()
    for rank in (0, 1):
        assert {f"[rank {rank}] printed by {rank}", f"[rank {rank}] logged by {rank}"} <= set(shown)
        assert f"[rank {rank}] in two lines" in shown
    assert ranks_of_this_process() == []


def test_np_above_zero_runs_barrier_tasks_and_shows_what_is_logged_only(
    spark: SparkSession, capfd: pytest.CaptureFixture[str]
) -> None:
    assert HorovodRunner(np=2).run(main, epochs=3) == {"size": 2, "rank": 0, "sum": 1.0, "epochs": 3}
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("[rank ")]
    assert sorted(lines) == [
        "[rank 0] in two lines",
        "[rank 0] logged by 0",
        "[rank 1] in two lines",
        "[rank 1] logged by 1",
    ]


def test_np_zero_takes_all_slots(spark: SparkSession) -> None:
    assert HorovodRunner(np=0).run(light) == 2


def test_what_is_wrong_is_told_in_the_callers_words(spark: SparkSession) -> None:
    def told(kind: type[TrainingError], np: int, **options: Any) -> str:
        with pytest.raises(kind) as caught:
            HorovodRunner(np=np, options=LaunchOptions(**options)).run(light)
        return str(caught.value)

    slots = told(NotEnoughSlotsError, 5)
    assert slots.startswith("np = 5, but local[2] has 2 slots ")
    assert "give Spark at least 5 slots" in slots
    assert slots.endswith("or set np to at most 2")
    elastic = told(NotEnoughSlotsError, 4, elastic=Elastic(3, 4))
    assert "2 slots left, but elastic needs at least 3" in elastic
    texts = [slots, elastic]
    for np in (1, -1):
        texts += [
            told(TrainingError, np, threads_per_rank=0),
            told(TrainingError, np, ports=(7, 3)),
            told(TrainingError, np, max_restarts=-1),
        ]
        assert texts[-3] == "threads_per_rank must be 'auto' or at least 1, not 0"
        assert texts[-2].startswith("ports must be a first and a last port")
        assert texts[-1] == "max_restarts must be at least 0, not -1"
    assert [text for text in texts if "train." in text or "num_ranks" in text] == []


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(TrainingError, match=r"np must be a whole number, not 1\.5"):
        HorovodRunner(np=1.5)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="'all' or 'log_callback_only', not 'some'"):
        HorovodRunner(np=1, driver_log_verbosity="some")


def test_a_failing_local_rank_ends_the_others_and_is_named() -> None:
    def body() -> None:
        import os
        import signal
        import time

        from training.launch import current_rank

        if current_rank().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)

    host = socket.gethostname()
    with pytest.raises(RankFailedError, match=rf"^rank 1 of 2 on host {host} failed: .*SIGKILL"):
        HorovodRunner(np=-2).run(body)
    assert ranks_of_this_process() == []


def test_local_ranks_are_restarted_too(tmp_path: Path) -> None:
    def body(marker: str) -> str:
        from pathlib import Path

        from training.launch import current_rank

        if current_rank().rank == 0 and not Path(marker).exists():
            Path(marker).touch()
            raise ValueError("the first time")
        return "the second time"

    lines: list[str] = []
    marker = str(tmp_path / "marker")
    values = launch_local(body, 2, args=(marker,), options=LaunchOptions(max_restarts=1, say=lines.append))
    assert values == ["the second time"] * 2
    assert any("ValueError: the first time; restart 1 of 1" in line for line in lines)


def test_an_expendable_local_rank_may_die_and_has_no_value() -> None:
    def body() -> str:
        import os

        from training.launch import current_rank

        if current_rank().rank == 1:
            os._exit(7)
        return "its value"

    lines: list[str] = []
    options = LaunchOptions(expendable={1}, say=lines.append)
    assert launch_local(body, 2, options=options) == ["its value", None]
    assert [line for line in lines if "exit code 7" in line]


def test_single_options_may_be_keywords() -> None:
    assert set(OptionChanges.__annotations__) == {field.name for field in fields(LaunchOptions)}
    lines: list[str] = []
    options = LaunchOptions(description="mine", say=lines.append)
    changed = options_of(options, {"env": {"A": "1"}, "max_restarts": 2})
    assert changed == replace(options, env={"A": "1"}, max_restarts=2)
    assert launch_local(light, 1, say=lines.append, env={"HOROVOD_CYCLE_TIME": "9"}) == [1]
    with pytest.raises(
        TrainingError, match=r"retries: no option of a launch; the options are .*max_restarts"
    ):
        launch_local(light, 1, retries=3)  # type: ignore[call-arg]
    with pytest.raises(TrainingError, match=r"retries: no option"):
        HorovodRunner(np=-1, retries=3)  # type: ignore[call-arg]


def test_without_spark_there_are_no_slots_to_follow() -> None:
    with pytest.raises(TrainingError, match=r"elastic = 1 to 2 ranks follows Spark's slots.*leave it out"):
        launch_local(light, 1, options=LaunchOptions(elastic=Elastic(1, 2)))


def test_a_full_port_range_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TrainingError, match=f"no free port in train.ports = {port}-{port} on 127.0.0.1"):
            launch_local(light, 1, options=LaunchOptions(ports=(port, port)))
    assert launch_local(light, 1, options=LaunchOptions(ports=(port, port))) == [1]
    with pytest.raises(TrainingError, match=r"between 1 and 65535, not \(7, 3\)"):
        launch_local(light, 1, options=LaunchOptions(ports=(7, 3)))
    with pytest.raises(TrainingError, match="threads_per_rank must be 'auto' or at least 1, not -3"):
        launch_local(light, 1, options=LaunchOptions(threads_per_rank=-3))


def test_ctrl_c_ends_local_ranks() -> None:
    def body() -> None:
        import time

        print("up", flush=True)
        time.sleep(600)

    up = threading.Event()

    def interrupt() -> None:
        up.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            launch_local(
                body, 2, options=LaunchOptions(say=lambda line: up.set() if line.endswith("up") else None)
            )
    finally:
        signal.signal(signal.SIGINT, before)
    assert ranks_of_this_process() == []
