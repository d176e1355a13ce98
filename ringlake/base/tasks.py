"""The tasks: what each is called, and where its sides live.

A task has a side on Spark (how a document becomes an example), one on the ranks (how examples are computed
and learned from) and, where its models are asked, one that scores their answers. None of these may import
another, so a task is declared here by places alone, and each side is loaded where a run needs it: nothing
here loads Spark, torch or the configuration. A task of another package is such a declaration, which an entry
point of the group `ringlake.tasks` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ringlake.base.extensions import Door, Extension, ExtensionError, unknown
from ringlake.base.modules import object_at

Part = Literal["examples", "training", "scores", "options"]
"""What a task declares the place of."""


@dataclass(frozen=True, kw_only=True)
class TaskKind:
    """One task. Places are written as 'module:NAME'.

    Attributes:
        name: What `task.name` says.
        summary: What its models do, a phrase that follows its name.
        training: Place of what makes its `Task` on a rank, given a `TaskBasis`.
        examples: Place of its `Examples`, how documents become examples. Empty, as of a language model alone:
            they are tokens of a stream that is cut evenly.
        scores: Place of its `TaskScores`, how answers are compared with what is right. Empty: `evaluate`
            gives the loss of the validation sequences.
        verb: What its models are asked for afterwards: 'generate', 'translate', 'classify', 'answer' or
            'embed'; empty: none of these.
        chats: Whether its models are given chats.
        options: Place of the section that `task.options` is read as; empty: it takes none.
        extras: Modules that its scores need and that not everybody has, each with the extra of ringlake that
            installs it.

    Raises:
        ValueError: A place is not written so, or there is none of what must be there.
    """

    name: str
    summary: str
    training: str
    examples: str = ""
    scores: str = ""
    verb: str = ""
    chats: bool = False
    options: str = ""
    extras: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ("training", "examples", "scores", "options"):
            place = getattr(self, part)
            if (place or part == "training") and not all(place.partition(":")[::2]):
                raise ValueError(f"{part} = {place!r} of task {self.name!r} must look like 'module:NAME'")


LANGUAGE_MODEL = "language-model"
"""The task of a run that names none."""

TASKS: dict[str, TaskKind] = {
    kind.name: kind
    for kind in (
        TaskKind(
            name=LANGUAGE_MODEL,
            summary="continues any text",
            training="training.tasks.language_model:make",
            verb="generate",
        ),
        TaskKind(
            name="instruct",
            summary="answers in chats (ingest.format chat)",
            examples="pipelines.tokenize.chats:EXAMPLES",
            training="training.tasks.instruct:make",
            verb="generate",
            chats=True,
        ),
        TaskKind(
            name="translation",
            summary="turns text into target",
            examples="pipelines.tokenize.pairs:EXAMPLES",
            training="training.tasks.translation:make",
            scores="pipelines.evaluate.translation:SCORES",
            verb="translate",
            extras={"sacrebleu": "tasks"},
        ),
        TaskKind(
            name="classification",
            summary="gives a text its label",
            examples="pipelines.tokenize.labelled:EXAMPLES",
            training="training.tasks.classification:make",
            scores="pipelines.evaluate.classification:SCORES",
            verb="classify",
        ),
        TaskKind(
            name="question-answering",
            summary="finds the answer to a question in a context (ingest.format squad)",
            examples="pipelines.tokenize.questions:EXAMPLES",
            training="training.tasks.question_answering:make",
            scores="pipelines.evaluate.question_answering:SCORES",
            verb="answer",
        ),
    )
}
"""Ringlake's own by name: what else is known of their names follows from these."""

DOOR: Door[TaskKind] = Door("tasks", "task", (TaskKind,), lambda: TASKS)
"""Tasks of other packages."""


def kind_of(name: str) -> TaskKind:
    """The task of a name, ringlake's or that of an installed package.

    Raises:
        ExtensionError: There is none of that name, or that of another package cannot be used.
    """
    kind = TASKS.get(name) or DOOR.get(name)
    if kind is None:
        raise ExtensionError(unknown("task.name", name, list(TASKS), DOOR.names()))
    return kind


def extensions_of(name: str) -> tuple[Extension, ...]:
    """What of other packages the task of a name is."""
    return DOOR.used([name])


def part_of(kind: TaskKind, part: Part, wanted: Any) -> Any:
    """What a task declares the place of, loaded now.

    Args:
        kind: The task.
        part: What of it.
        wanted: The class that it must be of.

    Raises:
        ExtensionError: It is another package's, and does not load or is of another class.
    """
    place = getattr(kind, part)
    if kind.name in TASKS:
        return object_at(place)
    (extension,) = extensions_of(kind.name)
    where = f"{part} of the task {kind.name!r} of {extension.origin}"
    try:
        found = object_at(place)
    except Exception as error:
        said = f"{type(error).__name__}: {error!s:.300}"
        raise ExtensionError(
            f"{where} cannot be loaded from {place!r} ({said}); repair or update {extension.distribution}, "
            f"or uninstall it"
        ) from error
    if not isinstance(found, wanted):
        raise ExtensionError(
            f"{where} ({place}) is of type {type(found).__name__}, not {wanted.__name__}; correct it in "
            f"{extension.distribution}, or uninstall that"
        )
    return found


def modules(part: Part) -> tuple[str, ...]:
    """The modules in which ringlake's own tasks have that side, which is code of the stages that use it."""
    places = (str(getattr(kind, part)) for kind in TASKS.values())
    return tuple(sorted({place.partition(":")[0] for place in places if place}))
