"""What is asked for: a verb of a model, and all that decides the predictions besides the rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from conf.generate import GenerateConfig
from pipelines.errors import InputError
from pipelines.sources import module_digest
from ringlake.base.storage import folder_of
from training.errors import DataError
from training.inference.options import INPUTS, Options, Verb, verb_of

_NOT_BY_NAME = frozenset({"generate", "threads"})


@dataclass(frozen=True)
class Request:
    """A verb of a model.

    Attributes:
        verb: What the model is asked for.
        model: Path or URL of the model folder.
        options: How it is used.
        id_column: Column that names a row.
    """

    verb: Verb
    model: str
    options: Options
    id_column: str = "id"

    @cached_property
    def identity(self) -> str:
        """Hash of the model's content."""
        # Here and not above: it comes with transformers, which takes seconds to import.
        from training.inference.folder import model_identity

        return model_identity(self.model)

    def key(self, source: str) -> str:
        """Hash of all that decides the predictions of an input: equal keys need no second run.

        Args:
            source: Identity of the input.
        """
        parts = [
            self.verb,
            self.identity,
            self.options.deciding(self.verb),
            self.id_column,
            source,
            module_digest(f"training.inference.{self.verb}"),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def columns_in(self, names: Sequence[str], where: str) -> tuple[str, ...]:
        """The columns of a table that the verb reads; InputError if it lacks some, or the one of the ids.

        Args:
            names: Columns of the table.
            where: The table, for messages.
        """
        wanted = INPUTS[self.verb]
        found = tuple(name for name in wanted if name in names)
        is_enough = bool(found) if self.verb == "generate" else found == wanted
        if not is_enough:
            needed = " or ".join(wanted) if self.verb == "generate" else " and ".join(wanted)
            raise InputError(
                f"{where} has no column {needed}, which {self.verb} reads; its columns: {', '.join(names)}; "
                f"give the right one that name in a view or a copy"
            )
        if self.id_column not in names:
            raise InputError(
                f"{where} has no column {self.id_column!r} to name its rows by; name one with --id; "
                f"its columns: {', '.join(names)}"
            )
        return found


def request(
    verb: str, model: str, options: Options | Mapping[str, Any] | None = None, id_column: str = "id"
) -> Request:
    """A checked request; nothing heavy is loaded but transformers.

    Args:
        verb: The verb.
        model: Model folder, or a lake, whose model it then is.
        options: How it is used, or by name: fields of `Options`, for `generate` those of its section.
        id_column: Column that names a row.

    Raises:
        InputError: There is no such verb, option or model, or the model is of another kind.
    """
    with told_as_input():
        known = verb_of(verb)
        if not isinstance(options, Options):
            options = options_of(known, options or {})
        place = model_folder(model)
        from training.inference.folder import check_model

        check_model(known, place)
        return Request(known, place, options, id_column)


def options_of(verb: Verb, values: Mapping[str, Any]) -> Options:
    """Options by name; DataError if there is none of a name, or a value is none.

    Args:
        verb: The verb; those of the section `generate` are taken for `generate`.
        values: Values by name.
    """
    own = {item.name for item in fields(Options)} - _NOT_BY_NAME
    section = set(GenerateConfig.model_fields) - {"prompts"} if verb == "generate" else set()
    unknown = sorted(set(values) - own - section)
    if unknown:
        raise DataError(f"{verb} has no option {unknown[0]!r}; it has {', '.join(sorted(own | section))}")
    try:
        generate = GenerateConfig(**{name: value for name, value in values.items() if name in section})
    except ValueError as error:
        raise DataError(" ".join(str(error).split())) from None
    options = Options(**{name: value for name, value in values.items() if name not in section})
    return replace(options, generate=generate)


def model_folder(given: str) -> str:
    """Path or URL of the model folder that a folder is, or that a lake has; InputError if there is none."""
    folder = folder_of(given)
    if not folder.exists("config.json") and folder.child("model").exists("config.json"):
        folder = folder.child("model")
    if not folder.exists("config.json"):
        raise InputError(f"{given} is no model folder: it has no config.json; train one with `ringlake run`")
    return folder.location


@contextmanager
def told_as_input() -> Iterator[None]:
    """What is wrong with a model or an option, as the user's error, which ends a command with its code."""
    try:
        yield
    except DataError as error:
        raise InputError(str(error)) from error
