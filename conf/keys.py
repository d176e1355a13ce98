"""All keys of the configuration with type, default and meaning, as the fields of the sections have them.

Flags of the command line and the reference are made of these, so that neither can say anything else.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from conf.run import RunConfig
from conf.section import Section
from conf.words import members, words

DERIVED = "see meaning"
"""Default of a key that goes by other keys."""

REQUIRED = "required"
"""Default of a key that has none."""


@dataclass(frozen=True)
class Key:
    """One key of the configuration.

    Attributes:
        name: Its dotted name; `[]` stands for an item of a list, `*` for a name of the user's own.
        field: The field that has its value.
    """

    name: str
    field: FieldInfo

    @property
    def meaning(self) -> str:
        """What the field says of itself."""
        return self.field.description or ""

    @property
    def type(self) -> str:
        """Its type and limits in words."""
        return words(self.field.annotation, self.field.metadata)

    @property
    def members(self) -> tuple[Any, ...]:
        """The types that its value may have, those of a union one by one."""
        return tuple(member for member, _ in members(self.field.annotation))

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it may have literally."""
        literal = [member for member in self.members if get_origin(member) is Literal]
        return tuple(str(choice) for member in literal for choice in get_args(member))

    @property
    def default(self) -> str:
        """The field's default, as a run file has it; `REQUIRED` or `DERIVED` where it has none of its own."""
        if self.field.is_required():
            return REQUIRED
        if self.field.default_factory_takes_validated_data:
            return DERIVED
        return shown(self.field.get_default(call_default_factory=True))


@dataclass(frozen=True)
class Part:
    """A section, or what an item of a list or mapping may have, with its keys.

    Attributes:
        name: Its dotted name, empty for the top of a run file.
        meaning: What it is for.
        keys: Its keys, without those that are sections themselves.
    """

    name: str
    meaning: str
    keys: tuple[Key, ...]


def parts(model: type[Section] = RunConfig, name: str = "") -> Iterator[Part]:
    """The sections in the order of the configuration tree, each before those in it."""
    prefix = f"{name}." if name else ""
    fields = model.model_fields
    keys = tuple(Key(prefix + key, field) for key, field in fields.items() if not _is_section(field))
    yield Part(name, inspect.cleandoc(model.__doc__ or ""), keys)
    for key, field in fields.items():
        for inner, suffix in _sections_in(field.annotation):
            yield from parts(inner, f"{prefix}{key}{suffix}")


def all_keys(model: type[Section] = RunConfig) -> Iterator[Key]:
    """Every key, those of items of lists and mappings too."""
    for part in parts(model):
        yield from part.keys


def key(name: str, model: type[Section] = RunConfig) -> Key:
    """The key of a dotted name such as `train.num_ranks`.

    Raises:
        KeyError: There is none.
    """
    for found in all_keys(model):
        if found.name == name:
            return found
    raise KeyError(f"the configuration has no key {name!r}")


def shown(value: Any) -> str:
    """A value as a run file has it: text as it is, all else as JSON, which YAML can read."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=lambda item: item.model_dump(mode="json"))


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _sections_in(annotation: Any) -> Iterator[tuple[type[Section], str]]:
    """Sections that a value is or has, with what stands between the key's name and theirs."""
    for member, _ in members(annotation):
        if isinstance(member, type) and issubclass(member, Section):
            yield member, ""
        elif get_origin(member) in (tuple, dict):
            suffix = "[]" if get_origin(member) is tuple else ".*"
            for item in get_args(member):
                yield from ((found, suffix + more) for found, more in _sections_in(item))
