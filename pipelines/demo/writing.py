"""Texts that a causal model writes while one reads: a prompt continued, a chat answered."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from conf.generate import GenerateConfig
from pipelines.demo.desk import Desk, Turn
from pipelines.demo.shown import Shown, refused, too_long
from training.errors import DataError
from training.inference.generate import Writer
from training.inference.predictor import Refusal

Message = dict[str, str]
"""A message of a chat: `role` and `content`."""

MOST_NEW_TOKENS = 1000
"""What a page offers at most: some minutes of a small model on a CPU."""


def most_new_tokens(writer: Writer) -> int:
    """How many tokens a page offers for this model."""
    return max(1, min(MOST_NEW_TOKENS, writer.most_new_tokens))


def settings(
    base: GenerateConfig, length: float, temperature: float, top_p: float, seed: float
) -> GenerateConfig:
    """The settings of a page, without beams, whose text is only known at the end; DataError if they are none.

    Args:
        base: All other settings.
        length: Most tokens of a text.
        temperature: See `GenerateConfig`.
        top_p: Likewise.
        seed: Likewise.
    """
    values = {"max_new_tokens": length, "temperature": temperature, "top_p": top_p, "seed": seed, "beams": 1}
    if any(value is None for value in values.values()):
        raise DataError("a setting is empty; give it a number")
    if length > MOST_NEW_TOKENS:
        raise DataError(f"the page writes at most {MOST_NEW_TOKENS} tokens; `ringlake generate` writes more")
    try:
        return GenerateConfig(**(base.model_dump() | values))
    except ValueError as error:
        raise DataError(" ".join(str(error).split())) from None


def continuation(
    desk: Desk, turn: Turn, writer: Writer, config: GenerateConfig, prompt: str
) -> Iterator[Shown]:
    """What follows a prompt, longer each time, until the text or the turn ends."""
    yield from _written(desk, turn, writer, config, {"prompt": prompt}, [prompt], "leave out its beginning")


def conversation(
    desk: Desk, turn: Turn, writer: Writer, config: GenerateConfig, before: Sequence[Message], said: str
) -> Iterator[tuple[list[Message], Shown]]:
    """The messages of a chat after the user said something, the answer longer each time.

    What is refused, or stopped before its answer began, is not among them, so that the user can say it in
    another way.

    Args:
        desk: Asks the model.
        turn: Ends the answer where it is left.
        writer: The model.
        config: How it writes.
        before: Messages so far.
        said: What the user says.
    """
    messages = [*before, {"role": "user", "content": said}]
    texts = [message["content"] for message in messages]
    if not said.strip():
        yield list(before), refused(Refusal("empty", "the message has no visible character"))
        return
    answers = _written(desk, turn, writer, config, {"messages": messages}, texts, "begin a new chat")
    for shown in answers:
        if not shown.text and (shown.note or turn.is_left):
            yield list(before), shown
        else:
            yield [*messages, {"role": "assistant", "content": shown.text}], shown


def _written(
    desk: Desk,
    turn: Turn,
    writer: Writer,
    config: GenerateConfig,
    row: Mapping[str, Any],
    texts: Sequence[str],
    remedy: str,
) -> Generator[Shown, None, None]:
    refusal = too_long(texts, remedy)
    if refusal is not None:
        yield refused(refusal)
        return
    text = ""
    pieces = desk.stream(lambda tell: writer.using(config).stream(row, tell), turn)
    try:
        while True:
            text = next(pieces)
            yield Shown(text)
    except StopIteration as end:
        outcome = end.value
    except DataError as error:
        yield Shown(text, note=str(error))
        return
    finally:
        pieces.close()
    if outcome is None and turn.is_left:
        yield Shown(text)
    elif outcome is None:
        yield Shown(text, note="ended before the text did: the page is closing")
    elif isinstance(outcome, Refusal):
        yield refused(outcome, text)
    else:
        yield Shown(str(outcome.value))
