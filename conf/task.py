"""Section `task`: what the model is for."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from conf.section import Section

LANGUAGE_MODEL = "language-model"

TaskName = Literal["language-model", "instruct", "translation", "classification", "question-answering"]


class TaskConfig(Section):
    """What the model is for, and how a document becomes an example of it."""

    name: TaskName = Field(
        "language-model",
        description="language-model continues any text; instruct answers in chats (ingest.format chat); "
        "translation turns text into target; classification gives a text its label; question-answering finds "
        "answers in a text (ingest.format squad).",
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
        description="Script that most letters of a target must have, as their Unicode names begin: CJK, "
        "LATIN, CYRILLIC, ...; other targets are refused (translation).",
    )
    chat_template: str | None = Field(
        None,
        description="File with a chat template (Jinja) to use instead of the tokenizer's own (instruct).",
    )
    stride: int = Field(
        64,
        ge=0,
        description="Tokens that the windows of a context longer than max_tokens have in common "
        "(question-answering).",
    )

    @model_validator(mode="after")
    def _stride_fits(self) -> Self:
        if self.stride >= self.max_tokens:
            raise ValueError(
                f"stride = {self.stride} must be less than max_tokens = {self.max_tokens}: windows would not "
                f"move on"
            )
        return self
