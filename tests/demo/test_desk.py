"""One question at a time, texts piece by piece, and an end for what nobody waits for."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from pipelines.demo.desk import Desk, Tell, Turn
from pipelines.demo.turns import Turns


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
        stream = desk.stream(work, Turn())
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
        stream = desk.stream(endless, Turn())
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
            list(desk.stream(work, Turn()))
        assert desk.ask(lambda: 1) == 1


def test_closing_ends_a_text_and_those_that_wait_for_their_turn() -> None:
    desk = Desk()
    is_closing = threading.Event()

    def endless(tell: Tell) -> None:
        tell("a")
        assert is_closing.wait(30)
        while True:
            tell("a")

    stream = desk.stream(endless, Turn())
    next(stream)
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(list, desk.stream(lambda tell: tell("b"), Turn()))
        desk.end_soon()
        is_closing.set()
        desk.close()
        assert waiting.result(30) in ([], ["b"])


def test_a_turn_is_left_while_the_text_is_told_and_what_was_told_stays() -> None:
    is_left = threading.Event()

    def endless(tell: Tell) -> None:
        tell("a")
        assert is_left.wait(30)
        while True:
            tell("b")

    turn = Turn()
    with closing(Desk()) as desk:
        stream = desk.stream(endless, turn)
        assert next(stream) == "a"
        turn.leave()
        is_left.set()
        with pytest.raises(StopIteration) as end:
            next(stream)
        assert end.value.value is None
        assert desk.ask(lambda: "next") == "next"


@pytest.mark.parametrize("when", ["before it is put", "while it waits"])
def test_a_turn_is_left_before_it_comes(when: str) -> None:
    is_over, has_begun = threading.Event(), threading.Event()
    told: list[str] = []
    turn = Turn()

    def first(tell: Tell) -> None:
        has_begun.set()
        assert is_over.wait(30)

    with closing(Desk()) as desk, ThreadPoolExecutor(2) as others:
        busy = others.submit(list, desk.stream(first, Turn()))
        assert has_begun.wait(30)
        if when == "before it is put":
            turn.leave()
        waiting = others.submit(list, desk.stream(lambda _: told.append("an answer"), turn))
        if when == "while it waits":
            assert not waiting.done()
            turn.leave()
        # The one before it is still being answered.
        assert waiting.result(30) == []
        assert not is_over.is_set()
        is_over.set()
        assert busy.result(30) == []
    assert told == []


def test_an_open_page_ends_its_own_text_alone() -> None:
    turns = Turns()
    with turns.of("a") as first, turns.of("b") as second:
        with ThreadPoolExecutor(1) as other:
            leaving = other.submit(turns.leave, "a")
            while not first.is_left:
                pass
            assert not leaving.done()
            first.end()
            leaving.result(30)
        assert not second.is_left
        turns.leave("c")
    # What has ended is forgotten: nothing waits for it.
    turns.leave("b")
    with turns.of("a") as again:
        assert not again.is_left
