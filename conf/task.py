"""Section `task`: what the model is for."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from conf.section import Extended, Section

LANGUAGE_MODEL = "language-model"

TaskName = Literal["language-model", "translation", "classification", "question-answering", "instruct"]
"""Ringlake's own, which `ringlake.base.tasks` declares; others are those of installed extensions."""


class TaskConfig(Section):
    """What the model is for, and how a document becomes an example of it."""

    name: TaskName | Extended = Field(
        LANGUAGE_MODEL,
        description="language-model continues any text; translation turns text into target; classification "
        "gives a text its label; question-answering finds the answer to a question in a context "
        "(ingest.format squad); instruct answers in chats (ingest.format chat). Other names are those of "
        "installed extensions.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keys of a task of another package, which says what it takes."
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

    @model_validator(mode="after")
    def _options_have_a_taker(self) -> TaskConfig:
        if self.options and self.name in get_args(TaskName):
            raise ValueError(
                f"options = {self.options} are for a task of another package, and name = {self.name!r} is "
                f"ringlake's own, whose keys are in the section task itself"
            )
        return self

    @property
    def noted_options(self) -> dict[str, Any]:
        """The options as JSON values, as they are noted with what is made of them."""
        found: dict[str, Any] = self.model_dump(mode="json")["options"]
        return found
