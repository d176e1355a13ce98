"""Every key of the configuration says its type, its default and what it means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import Field

from conf import load
from conf.decontaminate import EvalSet
from conf.keys import DERIVED, REQUIRED, Key, all_keys, key, parts
from conf.words import words

KEYS = list(all_keys())


def test_the_keys_are_those_of_a_validated_configuration() -> None:
    def leaves(tree: Any, name: str) -> list[str]:
        known = {found.name for found in KEYS}
        if name in known or not isinstance(tree, dict):
            return [name]
        return [leaf for item in tree for leaf in leaves(tree[item], f"{name}.{item}" if name else item)]

    whole = leaves(load().model_dump(), "")
    assert set(whole) <= {found.name for found in KEYS}
    # What is left are the keys of items, of which a default configuration has none.
    rest = {found.name.rpartition(".")[0] for found in KEYS if found.name not in whole}
    lists = {"decontaminate.sets[]", "mix.groups[]", "train.mixture.lakes[]"}
    assert rest == lists | {"clean.per_language.*", "train.elastic"}


@pytest.mark.parametrize("found", KEYS, ids=lambda found: found.name)
def test_every_key_says_what_it_means(found: Key) -> None:
    assert len(found.meaning) > 10
    assert found.meaning.endswith("."), found.meaning
    assert "None" not in found.meaning.split(), "a run file says null"
    assert found.type


def test_every_section_says_what_it_is_for() -> None:
    for part in parts():
        assert part.meaning.endswith("."), part.name


def test_the_defaults_are_those_of_an_empty_run_file() -> None:
    tree = load().model_dump(mode="json")
    for found in KEYS:
        of_an_item = "[]" in found.name or "*" in found.name or found.name.startswith("train.elastic.")
        if of_an_item or found.default in (REQUIRED, DERIVED):
            continue
        value: Any = tree
        for name in found.name.split("."):
            value = value[name]
        if found.name == "train.global_batch_size":
            # Null means a number that another key decides.
            assert (yaml.safe_load(found.default), value) == (None, 32)
        else:
            assert yaml.safe_load(found.default) == value, found.name


def test_a_key_that_there_is_not() -> None:
    assert key("train.num_ranks").choices == ("auto",)
    with pytest.raises(KeyError, match=r"no key 'train\.ranks'"):
        key("train.ranks")


@pytest.mark.parametrize(
    ("annotation", "metadata", "expected"),
    [
        (int, [Ge(1), Le(2**16)], "whole number from 1 to 65,536"),
        (int, [Ge(0), Lt(5)], "whole number at least 0 and below 5"),
        (float, [Gt(0)], "number above 0"),
        (float | None, [Gt(0), Le(0.5)], "number above 0 and at most 0.5 or `null`"),
        (
            Annotated[int, Field(ge=1)] | Literal["auto", "all"],
            [],
            "whole number at least 1, `auto` or `all`",
        ),
        (str | None, [MinLen(1)], "non-empty text or `null`"),
        (bool, [], "`true` or `false`"),
        (tuple[EvalSet, ...], [MaxLen(200)], "list of section, at most 200"),
        (tuple[int, int] | None, [], "list of 2: whole number, whole number; or `null`"),
        (dict[str, tuple[str, ...]], [], "mapping of text to list of text"),
        (dict[str, Any], [], "mapping of text to any value"),
    ],
)
def test_types_in_words(annotation: Any, metadata: list[Any], expected: str) -> None:
    assert words(annotation, metadata) == expected
