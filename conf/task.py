"""Section `task`: what the model is for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from conf.section import Section

LANGUAGE_MODEL = "language-model"

TaskName = Literal["language-model", "instruct", "translation", "classification", "question-answering"]


class TaskConfig(Section):
    """What the model is for, and how a document becomes an example of it."""

    name: TaskName = Field(
        "language-model",
        description="language-model continues any text; instruct answers in chats (ingest.format chat); "
        "translation turns text into target; classification gives a text its label; question-answering finds "
        "the answer to a question in a context (ingest.format squad).",
    )
    max_tokens: int = Field(
        255,
        ge=4,
        le=2**20,
        description="Longest example in tokens, what is learned included; longer ones are refused. A "
        "sequence holds whole examples, so pack.sequence_length must be larger. Of no use to a "
        "language-model.",
    )
    target_script: str | None = Field(
        None,
        pattern=r"^[A-Z]+$",
        description="Script that most letters of a target must have, but for words that its text has too, "
        "as their Unicode names begin: CJK, LATIN, CYRILLIC, ...; other targets are refused (translation).",
    )
    stride: int = Field(
        128,
        ge=1,
        description="Tokens that neighbouring windows of a long context share, at most half of what a window "
        "has of it; longer answers are refused (question-answering).",
    )
    max_windows: int = Field(
        1000,
        ge=1,
        le=65_536,
        description="Most windows that all questions of a document may have, and most questions; others are "
        "refused (question-answering).",
    )
    chat_template: str | None = Field(
        None,
        description="File with a chat template (Jinja) to use instead of the tokenizer's own (instruct).",
    )
