"""Flags of `ringlake bundle` for a platform, made from the fields of the platform's options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from typing import Annotated, Any

import typer

from conf.errors import ConfigError
from pipelines.bundle.options import Options


def flags(kinds: Mapping[str, type[Options]]) -> list[inspect.Parameter]:
    """A parameter for each field, once where several platforms have it.

    Args:
        kinds: Class of the options by the flag of its platform.
    """
    shared = {field.name for field in fields(Options)}
    made: dict[str, inspect.Parameter] = {}
    for platform, kind in kinds.items():
        for field in fields(kind):
            platforms = [name for name, other in kinds.items() if field.name in _names(other)]
            where = "" if field.name in shared else f"With {' and '.join(platforms)}. "
            made.setdefault(field.name, _parameter(field, where, platform))
    return list(made.values())


def options_of(platform: str, kinds: Mapping[str, type[Options]], given: Mapping[str, Any]) -> Options:
    """The options of a platform from what the command line has.

    Args:
        platform: Its flag.
        kinds: See `flags`.
        given: Value by field; None or nothing: not given.

    Raises:
        ConfigError: A value is wrong, or belongs to another platform.
    """
    kind = kinds[platform]
    values = {name: value for name, value in given.items() if value is not None and value != []}
    foreign = sorted(set(values) - _names(kind))
    if foreign:
        raise ConfigError(
            f"{', '.join(map(flag, foreign))} {'is' if len(foreign) == 1 else 'are'} no option of "
            f"{platform}; leave it out"
        )
    made: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return kind(**made)


def given_without_platform(given: Mapping[str, Any]) -> Sequence[str]:
    """Flags that are given, though no platform is."""
    return sorted(flag(name) for name, value in given.items() if value is not None and value != [])


def flag(name: str) -> str:
    """A field as it is written on the command line."""
    return "--" + name.replace("_", "-")


def with_flags(command: Callable[..., None], kinds: Mapping[str, type[Options]]) -> Callable[..., None]:
    """A command that takes the flags besides its own parameters, as keywords."""
    own = [
        parameter
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    parameters = [*own, *flags(kinds)]

    def called(**values: Any) -> None:
        command(**values)

    called.__doc__ = command.__doc__
    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    )
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def _names(kind: type[Options]) -> set[str]:
    return {field.name for field in fields(kind)}


def _parameter(field: Field[Any], where: str, platform: str) -> inspect.Parameter:
    default = field.default
    several = isinstance(default, tuple)
    has = "" if several or default == "" else f" [default: {default}]"
    help_text = f"{where}{field.metadata['help']}{has}"
    option = typer.Option(flag(field.name), help=help_text, metavar=field.metadata["metavar"] or None)
    kind: Any = (
        list[str]
        if several
        else bool
        if isinstance(default, bool)
        else int
        if isinstance(default, int)
        else str
    )
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )
