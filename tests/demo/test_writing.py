"""Texts on the page are those of the command, grow while they are written, and remember a chat."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conf.generate import GenerateConfig
from pipelines.demo.desk import Desk, Turn
from pipelines.demo.shown import MAX_CHARACTERS
from pipelines.demo.writing import continuation, conversation, most_new_tokens, settings
from tests.inference.tiny import LENGTH
from training.errors import DataError
from training.inference.generate import Writer
from training.inference.options import Options
from training.inference.predictor import Prediction

CONFIG = GenerateConfig(max_new_tokens=12, seed=5)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def said(folder: Path, row: dict[str, Any], config: GenerateConfig = CONFIG) -> str:
    """What the command writes."""
    (found,) = Writer(str(folder), Options(generate=config)).predict([row])
    assert isinstance(found, Prediction)
    return str(found.value)


def test_a_text_is_that_of_the_command_and_grows(models: dict[str, Path], desk: Desk) -> None:
    writer = Writer(str(models["generate"]), Options())
    shown = list(continuation(desk, Turn(), writer, CONFIG, "the fox"))
    assert shown[-1].text == said(models["generate"], {"prompt": "the fox"})
    texts = [item.text for item in shown]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert not any(item.note for item in shown)


def test_settings_of_a_text_are_its_own(models: dict[str, Path], desk: Desk) -> None:
    writer = Writer(str(models["generate"]), Options())
    before = writer.num_new_tokens
    long = GenerateConfig(max_new_tokens=40, temperature=0)
    *_, last = continuation(desk, Turn(), writer, long, "the")
    assert last.text == said(models["generate"], {"prompt": "the"}, long)
    assert writer.num_new_tokens == before
    assert most_new_tokens(writer) == LENGTH - 1
    *_, last = continuation(desk, Turn(), writer, GenerateConfig(max_new_tokens=LENGTH), "the")
    assert "leaves no room for a prompt" in last.note


def test_what_the_page_sets(models: dict[str, Path]) -> None:
    base = GenerateConfig(beams=4, temperature=0, stop=("x",))
    found = settings(base, 7, 0.5, 0.9, 3)
    assert found == GenerateConfig(max_new_tokens=7, temperature=0.5, top_p=0.9, seed=3, stop=("x",))
    with pytest.raises(DataError, match="at most 1000 tokens"):
        settings(base, 1001, 0.5, 0.9, 3)
    with pytest.raises(DataError, match="is empty"):
        settings(base, 7, 0.5, 0.9, None)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="seed"):
        settings(base, 7, 0.5, 0.9, -1)


def test_a_chat_has_seen_what_was_said(models: dict[str, Path], desk: Desk) -> None:
    writer = Writer(str(models["chat"]), Options())
    assert writer.chats
    messages: list[dict[str, str]] = []
    for text in ("the fox", "the dog"):
        asked = [*messages, {"role": "user", "content": text}]
        *_, (messages, shown) = conversation(desk, Turn(), writer, CONFIG, messages, text)
        answer = said(models["chat"], {"messages": asked})
        assert messages == [*asked, {"role": "assistant", "content": answer}]
        assert (shown.text, shown.note) == (answer, "")
    for refused in (" ", "a" * MAX_CHARACTERS):
        *_, (after, shown) = conversation(desk, Turn(), writer, CONFIG, messages, refused)
        assert after == messages and shown.note
    assert "begin a new chat (too_long)" in shown.note


def test_who_leaves_a_text_lets_the_next_one_in(models: dict[str, Path], desk: Desk) -> None:
    writer = Writer(str(models["generate"]), Options())
    text = continuation(desk, Turn(), writer, CONFIG, "the")
    next(text)
    text.close()  # type: ignore[attr-defined]
    *_, last = continuation(desk, Turn(), writer, CONFIG, "the fox")
    assert last.text == said(models["generate"], {"prompt": "the fox"})
