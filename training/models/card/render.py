"""Writes the README of a model folder from what training noted, the scores and the section `card`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from conf.card import OTHER, CardConfig
from ringlake.base.markdown import escaped, front_matter, plain, table
from training.models.card.opening import opening
from training.models.card.scores import score_lines
from training.models.card.texts import limits, use

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


def render(facts: Mapping[str, Any], terms: CardConfig, scores: Mapping[str, Any] | None = None) -> str:
    """The README in Markdown, with the front matter that model hubs read.

    Names from the data (labels, languages, what the run is called) are escaped so that they show as they are.

    Args:
        facts: Those of `training.models.card.facts`.
        terms: Licence of the model and the corpus, and whom to ask.
        scores: Content of `evaluation.json`; None: the model was not evaluated.
    """
    sections = {
        "Opening it": opening(facts),
        "What it is for": [use(facts), *_labels(facts)],
        "Limits": [f"- {line}" for line in limits(facts)],
        "Scores": score_lines(scores),
        "Data": _data(facts),
        "Recipe": table(["what", "how"], _rows(facts["recipe"])) if facts.get("recipe") else [],
        "Training": table(["fact", "value"], _rows(facts["training"])) if facts.get("training") else [],
        "Licence": _licence(terms),
    }
    lines = [
        *front_matter(_matter(facts, terms)),
        "",
        f"# {escaped(facts.get('name', 'model'))}",
        "",
        _lead(facts),
    ]
    for title, found in sections.items():
        if found:
            lines += ["", f"## {title}", "", *found]
    text = "\n".join(lines)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def _matter(facts: Mapping[str, Any], terms: CardConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if terms.model_license is not None:
        found["license"] = terms.model_license.lower()
        if terms.model_license == OTHER:
            found["license_name"] = plain(terms.model_license_name)
    languages = [code for code in facts.get("languages", []) if _LANGUAGE.fullmatch(code) and code != "und"]
    if languages:
        found["language"] = languages
    base = facts.get("base")
    # A hub takes this for the name of one of its models, which the last part of a path is not.
    if base and facts.get("base_is_a_name") and _NAME.fullmatch(base):
        found["base_model"] = base
    return found | {
        "library_name": "transformers",
        "pipeline_tag": facts["pipeline"],
        "tags": ["ringlake"],
    }


def _lead(facts: Mapping[str, Any]) -> str:
    base = facts.get("base")
    begun = f", trained on from {escaped(base)}" if base else ""
    what = f"A {escaped(facts['model_type'])} {facts['what']}: {facts['weights']:,} weights{begun}"
    return f"{what}, made by ringlake {escaped(facts.get('code', ''))}".rstrip() + "."


def _labels(facts: Mapping[str, Any]) -> list[str]:
    names = facts.get("labels")
    if not names:
        return []
    more = facts["num_labels"] - len(names)
    told = ", ".join(escaped(name) for name in names) + (f", and {more:,} more" if more else "")
    return ["", f"Its labels: {told}."]


def _data(facts: Mapping[str, Any]) -> list[str]:
    lines = []
    rows = facts.get("data") or []
    shares = facts.get("weights_of_lakes") or []
    if rows:
        cells = [
            [_lake(row["lake"], shares), escaped(row["table"]), str(row["version"]), f"{row['rows']:,}"]
            for row in rows
        ]
        lines += [
            "The tables that went into it, as their logs name them:",
            "",
            *table(["lake", "table", "version", "rows"], cells),
            "",
        ]
    languages = ", ".join(escaped(code) for code in facts.get("languages", []))
    if languages:
        lines.append(f"Languages of the texts, as they were recognised: {languages}.")
    return lines


def _lake(number: int, shares: list[str]) -> str:
    name = "mixed in, " + str(number) if number else "its own"
    return f"{name} (weight {shares[number]})" if number < len(shares) else name


def _rows(values: Mapping[str, Any]) -> list[list[str]]:
    # The names are those of `training.models.card.facts`, none of them from the data.
    return [[name, escaped(value)] for name, value in values.items()]


def _licence(terms: CardConfig) -> list[str]:
    if terms.model_license is None:
        model = (
            "Not stated. Who may use the model, and how, is not said here; whoever publishes it says so with "
            "the key `card.model_license`."
        )
    else:
        model = f"{escaped(terms.model_license_name or terms.model_license)}."
    corpus = (
        f"The corpus: {escaped(terms.license)}."
        if terms.license
        else "The licence of the corpus is not stated."
    )
    contact = f" Questions: {escaped(terms.contact)}." if terms.contact else ""
    return [model, "", corpus + contact]
