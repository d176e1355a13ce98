"""Reading a run file: YAML plus `--set a.b=c` overrides, validated into a `RunConfig`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from conf import DEFAULT_RUN
from conf.errors import ConfigError
from conf.run import RunConfig

MAX_RUN_FILE_BYTES = 1_000_000


def load(
    path: str | Path | None = None, overrides: Sequence[str] = (), model: type[RunConfig] = RunConfig
) -> RunConfig:
    """The configuration of a run file with overrides applied.

    Args:
        path: A run file; `conf/...` is also found inside the installed package. None: all defaults.
        overrides: Texts `section.key=value`; the value is read as YAML.
        model: `RunConfig`, or one with sections besides.

    Raises:
        ConfigError: The file is missing, is no YAML mapping, or a key or value is not allowed.
    """
    tree = _read_yaml(path) if path is not None else {}
    for override in overrides:
        _apply(tree, override, model)
    return validate(tree, str(path) if path is not None else "the defaults", model)


def override(key: str, value: Any) -> str:
    """A value of a key as the text that `load` takes.

    >>> override("train.steps", 3)
    'train.steps=3'
    """
    text = (
        yaml.safe_dump(value, default_flow_style=True, width=10**9).removesuffix("\n").removesuffix("\n...")
    )
    return f"{key}={text}"


def validate(
    tree: dict[str, Any], origin: str = "configuration", model: type[RunConfig] = RunConfig
) -> RunConfig:
    """The typed configuration of a plain tree; ConfigError names every key that is wrong."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        # A default that goes by other keys has no value where one of these is wrong: that is no mistake.
        found = [item for item in error.errors() if item["type"] != "default_factory_not_called"]
        problems = "; ".join(dict.fromkeys(_describe(item, model) for item in _of_keys(found)))
        raise ConfigError(f"{origin}: {problems}") from None


def find_run_file(path: str | Path) -> Traversable:
    """The run file itself, or the one of that name that the installed package carries."""
    given = Path(path)
    if given.is_file():
        return given
    if given.parts and given.parts[0] == "conf":
        packaged = resources.files("conf").joinpath(*given.parts[1:])
        if packaged.is_file():
            return packaged
    raise ConfigError(
        f"run file {str(path)!r} does not exist; name an existing YAML file, for example {DEFAULT_RUN}"
    )


def _read_yaml(path: str | Path) -> dict[str, Any]:
    file = find_run_file(path)
    with file.open("rb") as stream:
        content = stream.read(MAX_RUN_FILE_BYTES + 1)
    if len(content) > MAX_RUN_FILE_BYTES:
        raise ConfigError(f"{path}: more than the {MAX_RUN_FILE_BYTES} bytes that a run file may have")
    try:
        tree = yaml.safe_load(content.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold a mapping of sections, not a {type(tree).__name__}")
    return tree


def _apply(tree: dict[str, Any], override: str, model: type[RunConfig]) -> None:
    key, separator, text = override.partition("=")
    names = [name.strip() for name in key.split(".")]
    if not separator or not all(names):
        raise ConfigError(f"override {override!r} must look like section.key=value, e.g. train.steps=100")
    try:
        value = yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        raise ConfigError(f"override {override!r}: the value is not valid YAML; quote it") from None
    node = tree
    # Spark settings and thresholds have dots in their own names: spark.conf.spark.ui.enabled=true.
    fixed = _depth_of_fields(names, model)
    for name in names[: fixed - 1]:
        child = node.setdefault(name, {})
        if not isinstance(child, dict):
            raise ConfigError(f"override {override!r}: {name!r} is a value, not a section")
        node = child
    leaf = ".".join(names[fixed - 1 :])
    node[leaf] = str(text) if _is_text_map(names[: fixed - 1]) else value


def _depth_of_fields(names: list[str], model: Any) -> int:
    """How many leading names are keys of the tree; what is left belongs to a free-form mapping's key."""
    for index, name in enumerate(names):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return index + 1
        field = model.model_fields.get(name)
        model = field.annotation if field else None
    return len(names)


def _is_text_map(parents: list[str]) -> bool:
    return parents == ["spark", "conf"]


_UNION = re.compile(r"constrained-|literal\[|int$|str$|float$|tuple\[")
"""How pydantic names the member of a union that a value was tried as, at the end of its place."""


def _of_keys(errors: list[Any]) -> list[Any]:
    """One error a key: what a union's members say of a value in turn, as `train.num_ranks` has, is one."""
    found: dict[tuple[Any, ...], Any] = {}
    for item in errors:
        place = tuple(item["loc"])
        if len(place) > 1 and isinstance(place[-1], str) and _UNION.match(place[-1]):
            place = place[:-1]
        if place in found:
            found[place] = {**found[place], "msg": f"{found[place]['msg']}, or {_lower(item['msg'])}"}
        else:
            found[place] = {**item, "loc": place}
    return list(found.values())


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _describe(item: Any, model: type[RunConfig]) -> str:
    names = [str(part) for part in item["loc"]]
    key = ".".join(names)
    if item["type"] == "extra_forbidden":
        allowed = _allowed(names[:-1], model)
        close = difflib.get_close_matches(names[-1], allowed, n=1)
        hint = f"did you mean {'.'.join([*names[:-1], close[0]])}? " if close else ""
        more = "" if names[1:] else "; the section of an extension's stage needs its package installed"
        return f"unknown key {key!r}; {hint}allowed here: {', '.join(allowed)}{more}"
    message = item["msg"].removeprefix("Value error, ")
    if isinstance(item.get("input"), (dict, BaseModel)) and item["type"] == "value_error":
        # A law between keys of a section: the message has their values.
        return f"{key}: {message}" if key else message
    return f"{key} = {item.get('input')!r}: {_lower(message)}"


def _allowed(parents: list[str], model: Any) -> list[str]:
    for name in parents:
        if name.isdecimal():
            # An item of a list: tuple[Item, ...].
            model = next(iter(get_args(model)), None)
            continue
        field = model.model_fields.get(name) if hasattr(model, "model_fields") else None
        model = field.annotation if field else None
    return sorted(model.model_fields) if hasattr(model, "model_fields") else []
