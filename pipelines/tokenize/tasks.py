"""What tokenizing does for each task: the texts its tokenizer is trained on, the frame, the examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from conf.task import TaskConfig
from pipelines.stage_output import StageOutput
from pipelines.tokenize.chats import Chats
from pipelines.tokenize.examples import ExampleMaker, encode_examples
from pipelines.tokenize.labelled import Labelled, labels_of
from pipelines.tokenize.pairs import Pairs
from pipelines.tokenize.questions import PLACES, Questions, facts_of_questions
from training.models.chat import DEFAULT_TEMPLATE, ROLE_TOKENS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


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
    longest: Callable[[TaskConfig], int | None] = lambda _config: None
    learns_tokens: bool = True
    special_tokens: tuple[str, ...] = ()
    template: str = ""


def _both_sides(corpus: DataFrame) -> DataFrame:
    """One tokenizer for both: each row has text and target in turn."""
    return corpus.withColumn("text", F.concat_ws("\n", "text", "target"))


def _questions_too(corpus: DataFrame) -> DataFrame:
    """Each context with its questions; what stands around them in the label is read by nobody."""
    asked = F.concat_ws("\n", F.from_json("label", "array<struct<question: string>>")["question"])
    return corpus.withColumn("text", F.concat_ws("\n", "text", asked))


def _labels(corpus: DataFrame, _config: TaskConfig) -> dict[str, Any]:
    counts = labels_of(corpus)
    return {"labels": list(counts), "label_counts": list(counts.values())}


TASKS: dict[str, Examples] = {
    "translation": Examples(
        Pairs,
        "$A END",
        arguments=lambda config, _facts, _settings: {"script": config.target_script},
        texts=_both_sides,
    ),
    "classification": Examples(
        Labelled,
        "END $A END",
        _labels,
        lambda _config, facts, _settings: {"labels": facts["labels"]},
        longest=lambda config: config.max_tokens - 1,
        learns_tokens=False,
    ),
    "question-answering": Examples(
        Questions,
        "END $A END",
        facts_of_questions,
        lambda config, _facts, _settings: {"stride": config.stride, "max_windows": config.max_windows},
        texts=_questions_too,
        longest=lambda config: config.max_tokens - PLACES,
        learns_tokens=False,
    ),
    "instruct": Examples(
        Chats,
        None,
        arguments=lambda _config, _facts, settings: {"settings": dict(settings)},
        special_tokens=ROLE_TOKENS,
        template=DEFAULT_TEMPLATE,
    ),
}


def examples_of(
    corpus: DataFrame,
    config: TaskConfig,
    content: str,
    facts: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> StageOutput:
    """The tables `tokens` and `refused` of a corpus for a task.

    Args:
        corpus: Table `corpus`.
        config: The section `task`.
        content: Content of the framed tokenizer.json.
        facts: What `Examples.facts` gave.
        settings: Content of its tokenizer_config.json.
    """
    task = TASKS[config.name]
    arguments = {"content": content, "max_tokens": config.max_tokens} | task.arguments(
        config, facts, settings
    )
    return encode_examples(corpus, task.maker, arguments)
