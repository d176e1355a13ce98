"""One question at a time, texts piece by piece, and an end for what nobody waits for."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from pipelines.demo.desk import Desk, Tell


def test_questions_wait_for_each_other() -> None:
    running, most = 0, 0

    def work() -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        running -= 1
        return threading.current_thread().name

    with closing(Desk()) as desk, ThreadPoolExecutor(8) as many:
        names = {found.result() for found in [many.submit(desk.ask, work) for _ in range(200)]}
    assert most == 1
    assert len(names) == 1


def test_a_text_grows_and_ends_with_the_result() -> None:
    shown = threading.Event()

    def work(tell: Tell) -> int:
        tell("a")
        assert shown.wait(30)
        tell("b")
        tell("c")
        return 7

    found = []
    with closing(Desk()) as desk:
        stream = desk.stream(work)
        found.append(next(stream))
        shown.set()
        with pytest.raises(StopIteration) as end:
            while True:
                found.append(next(stream))
    assert end.value.value == 7
    assert found[0] == "a" and found[-1] == "abc"
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(found))


def test_who_leaves_ends_the_work_and_the_next_one_is_answered() -> None:
    is_left = threading.Event()
    told: list[str] = []

    def endless(tell: Tell) -> None:
        while True:
            tell("a")
            told.append("a")
            if len(told) == 1000:
                assert is_left.wait(30)

    with closing(Desk()) as desk:
        stream = desk.stream(endless)
        next(stream)
        stream.close()
        is_left.set()
        assert desk.ask(lambda: "next") == "next"


def test_an_error_is_told_to_who_asked() -> None:
    def work(tell: Tell) -> None:
        tell("a")
        raise ValueError("no")

    with closing(Desk()) as desk:
        with pytest.raises(ValueError, match="no"):
            list(desk.stream(work))
        assert desk.ask(lambda: 1) == 1


def test_closing_ends_a_text_and_those_that_wait_for_their_turn() -> None:
    desk = Desk()
    is_closing = threading.Event()

    def endless(tell: Tell) -> None:
        tell("a")
        assert is_closing.wait(30)
        while True:
            tell("a")

    stream = desk.stream(endless)
    next(stream)
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(list, desk.stream(lambda tell: tell("b")))
        desk.end_soon()
        is_closing.set()
        desk.close()
        assert waiting.result(30) in ([], ["b"])
