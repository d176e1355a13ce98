"""Whether a task of another package can be used, asked before a run rather than at its end."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from conf.errors import ConfigError
from ringlake.base.extensions import ExtensionError, unknown
from ringlake.base.tasks import DOOR, TASKS, TaskKind, kind_of, part_of

if TYPE_CHECKING:
    from conf.section import Section
    from conf.task import TaskConfig


def check_task(config: TaskConfig) -> None:
    """Asks whether there is the task that is configured, and whether its options are allowed.

    Raises:
        ConfigError: There is no such task, or it takes no such option.
        ExtensionError: That of another package cannot be used.
    """
    if config.name in TASKS:
        return
    if DOOR.find(config.name) is None:
        raise ConfigError(unknown("task.name", config.name, list(TASKS), DOOR.names()))
    # Here and not above, as below: making sections takes pydantic a while, and few runs have such a task.
    from conf.options import read_options

    kind = kind_of(config.name)
    check_kind(kind)
    read_options(_section_of(kind), config.options, "task.options", config.name)


def check_kind(kind: TaskKind) -> None:
    """Loads what the task of another package declares, but what ranks train with: a driver may lack torch.

    Raises:
        ExtensionError: Something of it is not there, or does not fit.
    """
    from pipelines.evaluate.scores import TaskScores
    from pipelines.tokenize.tasks import Examples
    from training.inference.options import VERBS

    if not kind.examples:
        raise _unfit(kind, "it has no examples; only ringlake's language model does without")
    part_of(kind, "examples", Examples)
    if kind.verb and kind.verb not in VERBS:
        raise _unfit(kind, f"its verb {kind.verb!r} is none of {', '.join(VERBS)}")
    scores = part_of(kind, "scores", TaskScores) if kind.scores else None
    if scores is not None and not kind.verb and scores.ask is None:
        raise _unfit(kind, "its scores have nobody to ask: give it a verb, or TaskScores an ask")
    _section_of(kind)
    module = kind.training.partition(":")[0]
    try:
        found = find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise _unfit(kind, f"there is no module {module!r} for its training")


def _section_of(kind: TaskKind) -> type[Section]:
    """The section of its options; one without keys where it takes none."""
    from conf.section import Section

    if not kind.options:
        return Section
    found = part_of(kind, "options", type)
    if not issubclass(found, Section):
        raise _unfit(kind, f"its options {kind.options} are no ringlake.extend.Section")
    section: type[Section] = found
    return section


def _unfit(kind: TaskKind, told: str) -> ExtensionError:
    extension = DOOR.find(kind.name)
    assert extension is not None
    return ExtensionError(
        f"task {kind.name!r} of {extension.origin}: {told}; correct its declaration, or uninstall "
        f"{extension.distribution}"
    )
