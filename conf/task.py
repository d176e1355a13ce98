"""Section `task`: what the model is for."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from conf.section import Extended, Section

LANGUAGE_MODEL = "language-model"

SHARED, OWN = "shared", "own"
"""Values of `task.target_tokenizer` that are no place."""

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
    target_tokenizer: str = Field(
        SHARED,
        min_length=1,
        description="Tokenizer of the targets. shared: one for both sides, trained on both; own: one that is "
        "trained on the targets, that of the texts on the texts; else the folder or tokenizer.json of one "
        "(translation). Two need a model whose decoder has a vocabulary of its own: marian.",
    )
    target_vocab_size: int | None = Field(
        None,
        ge=257,
        le=2**20,
        description="Entries of the targets' own tokenizer; null: tokenize.vocab_size. What else the section "
        "tokenize says of training holds for both.",
    )
    target_end_token: str | None = Field(
        None,
        min_length=1,
        description="Token that ends a target in the tokenizer that target_tokenizer names; null: the "
        "eos_token of its configuration.",
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

    @model_validator(mode="after")
    def _targets_have_their_tokenizer(self) -> TaskConfig:
        named = self.target_tokenizer
        if named != SHARED and self.name != "translation":
            raise ValueError(
                f"target_tokenizer = {named!r} is for name = 'translation', whose examples are pairs, and "
                f"name = {self.name!r}; leave it out"
            )
        if self.target_vocab_size is not None and named != OWN:
            raise ValueError(
                f"target_vocab_size = {self.target_vocab_size} is for a tokenizer that is trained on the "
                f"targets, and target_tokenizer = {named!r}; set that to {OWN!r}, or leave the size out"
            )
        if self.target_end_token is not None and named in (SHARED, OWN):
            raise ValueError(
                f"target_end_token = {self.target_end_token!r} is for a tokenizer that target_tokenizer "
                f"names by its place, and that is {named!r}; leave it out"
            )
        return self

    @property
    def has_target_tokenizer(self) -> bool:
        """Whether the targets have a tokenizer that is not that of the texts."""
        return self.target_tokenizer != SHARED

    @property
    def adopted_target_tokenizer(self) -> str | None:
        """Where the tokenizer of the targets lies; None: there is none that is not made here."""
        return None if self.target_tokenizer in (SHARED, OWN) else self.target_tokenizer

    @property
    def noted_options(self) -> dict[str, Any]:
        """The options as JSON values, as they are noted with what is made of them."""
        found: dict[str, Any] = self.model_dump(mode="json")["options"]
        return found
