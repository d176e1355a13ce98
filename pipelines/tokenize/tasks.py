"""What tokenizing does for a task: the texts its tokenizer is trained on, the frame, the examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.stage_output import StageOutput
from pipelines.tokenize.examples import ExampleMaker, encode_examples
from ringlake.base.tasks import kind_of, part_of
from training.facts import LEARNS_TOKENS, NAME, OPTIONS, SEVERAL

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from conf.task import TaskConfig


@dataclass(frozen=True)
class Examples:
    """How documents become examples of a task.

    Attributes:
        maker: Makes the examples of some documents.
        frame: What a trained tokenizer puts around a text, `$A`; END stands for the token that ends one.
            None: nothing, and an adopted one puts nothing there either.
        special_tokens: Special tokens that a trained tokenizer needs for it.
        template: Chat template of a trained tokenizer; empty: none.
        facts: What is noted of the corpus for training (JSON values), given the section `task`.
        arguments: What the maker is made with besides tokenizer and length, given the section, the facts and
            the content of tokenizer_config.json.
        texts: The texts that a tokenizer is trained on, as rows of `corpus`.
        targets: The texts that a tokenizer of the targets alone is trained on, likewise; that of the texts is
            then trained on column `text`. None: there is no such tokenizer in this task.
        learns_tokens: Whether what is to be learned are tokens.
        longest: Most tokens of a text that the model is given, by the section; None: no more than it takes.
    """

    maker: type[ExampleMaker]
    frame: str | None
    facts: Callable[[DataFrame, TaskConfig], dict[str, Any]] = lambda _corpus, _config: {}
    arguments: Callable[[TaskConfig, Mapping[str, Any], Mapping[str, Any]], dict[str, Any]] = (
        lambda _config, _facts, _settings: {}
    )
    texts: Callable[[DataFrame], DataFrame] = field(default=lambda corpus: corpus)
    targets: Callable[[DataFrame], DataFrame] | None = None
    longest: Callable[[TaskConfig], int | None] = lambda _config: None
    learns_tokens: bool = True
    special_tokens: tuple[str, ...] = ()
    template: str = ""


def examples_of(name: str) -> Examples | None:
    """How documents become examples of the task of a name; None: they do not, as of a language model.

    Raises:
        ExtensionError: That of another package cannot be used.
    """
    kind = kind_of(name)
    if not kind.examples:
        return None
    found: Examples = part_of(kind, "examples", Examples)
    return found


def facts_of(task: Examples, corpus: DataFrame, config: TaskConfig) -> dict[str, Any]:
    """What is noted of the examples with the commit of `tokens`, for all that reads them.

    Args:
        task: How they are made.
        corpus: Table `corpus`.
        config: The section `task`.
    """
    noted: dict[str, Any] = {NAME: config.name, LEARNS_TOKENS: task.learns_tokens}
    if config.options:
        noted[OPTIONS] = config.noted_options
    if task.maker.several:
        noted[SEVERAL] = True
    return {**noted, **task.facts(corpus, config), **noted}


def make_examples(
    task: Examples,
    corpus: DataFrame,
    config: TaskConfig,
    content: str,
    facts: Mapping[str, Any],
    settings: Mapping[str, Any],
    target_content: str = "",
) -> StageOutput:
    """The tables `tokens` and `refused` of a corpus for a task.

    Args:
        task: How examples are made.
        corpus: Table `corpus`.
        config: The section `task`.
        content: Content of the framed tokenizer.json.
        facts: What `facts_of` gave.
        settings: Content of its tokenizer_config.json.
        target_content: The same as `content` of the tokenizer of the targets; empty: they have none.
    """
    arguments = {"content": content, "max_tokens": config.max_tokens} | task.arguments(
        config, facts, settings
    )
    if target_content:
        arguments["target_content"] = target_content
    return encode_examples(corpus, task.maker, arguments)
