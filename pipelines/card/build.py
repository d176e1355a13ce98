"""Writes the card: `dataset_card.json` with the facts, `card.md` from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from conf.card import CardConfig
from pipelines.card.facts import collect_facts
from pipelines.lake import Lake
from pipelines.lake.paths import write_json
from pipelines.text import display
from ringlake.base.markdown import escaped, front_matter, plain, table

_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")


def build_card(lake: Lake, config: CardConfig, name: str) -> dict[str, Any]:
    """Writes `card.md` and `dataset_card.json` into a lake, and gives back what the latter has.

    Args:
        lake: A lake with a corpus.
        config: The section `card`.
        name: What the corpus is called.

    Raises:
        InputError: There is no corpus yet.
    """
    facts = collect_facts(lake, config, name)
    write_json(lake.card_facts, facts)
    lake.card.replace(render(facts))
    return facts


def render(facts: dict[str, Any]) -> str:
    """The card in Markdown, with the front matter that the Hugging Face hub reads.

    Names come from files and tables: they are escaped so that they show as they are.
    """
    parts = [*front_matter(_matter(facts)), "", f"# {escaped(facts['name'])}", ""]
    if facts["description"]:
        parts += [escaped(facts["description"], limit=None), ""]
    totals = facts["totals"]
    size = f"{display.count(totals['documents'])} documents, {display.size(totals['bytes'])} of text"
    tokens = f", {display.count(totals['tokens'])} tokens" if totals["tokens"] is not None else ""
    parts += [
        f"{size}{tokens}. Licence: {_known(facts['license'])}. Contact: {_known(facts['contact'])}.",
        "",
    ]
    for title, key in (("Splits", "splits"), ("Languages", "languages"), ("Sources", "sources")):
        parts += [f"## {title}", "", *_groups(facts[key]), ""]
    if facts["splits"]["rows"]:
        parts += ["All members of a cluster of duplicates are in one split.", ""]
    parts += ["## What was removed", "", *_removed(facts["removed"]), ""]
    parts += ["## Personal data", "", *_personal_data(facts["personal_data"]), ""]
    parts += ["## How it was made", "", *_making(facts), ""]
    rows = [
        [name, str(info["version"]), display.count(info["rows"])] for name, info in facts["tables"].items()
    ]
    parts += ["## Tables", "", *table(["table", "version", "rows"], rows), ""]
    parts.append(f"Made by ringlake {escaped(facts['code_version'])}.")
    return "\n".join(parts) + "\n"


def size_category(documents: int) -> str:
    """The hub's size category: 'n<1K', '1K<n<10K', ..., 'n>1T'."""
    bound = 1000
    for place, name in enumerate(_SIZES):
        if documents < bound:
            return f"{_SIZES[place - 1]}<n<{name}" if place else "n<1K"
        bound *= 10
    return "n>1T"


def _matter(facts: dict[str, Any]) -> dict[str, Any]:
    codes = [row["name"] for row in facts["languages"]["rows"]]
    matter: dict[str, Any] = {
        "pretty_name": plain(facts["name"]),
        "language": [code for code in codes if re.fullmatch(r"[a-z]{2,3}", code) and code != "und"],
        "size_categories": [size_category(facts["totals"]["documents"])],
        "task_categories": ["text-generation"],
    }
    if facts["license"]:
        identifier = facts["license"].lower()
        if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", identifier):
            matter["license"] = identifier
        else:
            matter |= {"license": "other", "license_name": plain(facts["license"])}
    return matter


def _known(value: str | None) -> str:
    return escaped(value) if value else "not stated"


def _groups(groups: dict[str, Any]) -> list[str]:
    rows = [
        [
            escaped(row["name"]),
            display.count(row["documents"]),
            display.size(row["bytes"]),
            display.count(row["tokens"]),
        ]
        for row in groups["rows"]
    ]
    lines = table(["name", "documents", "text", "tokens"], rows)
    if more := groups["groups"] - len(rows):
        lines += ["", f"And {display.count(more)} smaller ones."]
    return lines


def _removed(removed: Sequence[dict[str, Any]]) -> list[str]:
    if not removed:
        return ["Nothing."]
    rows = [
        [row["stage"], f"`{row['table']}`", escaped(row["reason"]), display.count(row["rows"])]
        for row in removed
    ]
    return table(["stage", "table", "reason", "documents"], rows)


def _personal_data(found: dict[str, int]) -> list[str]:
    if not found:
        return ["Not looked for."]
    lines = ["Replaced by placeholders, in the documents that passed cleaning:", ""]
    return lines + table(["kind", "places"], [[escaped(kind), display.count(n)] for kind, n in found.items()])


def _making(facts: dict[str, Any]) -> list[str]:
    lines = []
    rules = facts["rules"]
    if rules:
        lines.append(f"- Cleaning: profile {escaped(rules.get('profile', 'unknown'))}. Rules in their order:")
        thresholds = rules.get("thresholds", {})
        for item in rules.get("items", []):
            limit = f", threshold {thresholds[item]:g}" if item in thresholds else ""
            lines.append(f"  - {escaped(item)}{limit}")
    for title, key in (
        ("Repeated lines or paragraphs", "repeats"),
        ("Deduplication", "deduplication"),
        ("Decontamination", "decontamination"),
        ("Mixture", "mixture"),
        ("Tokenizer", "tokenizer"),
        ("Stages of other packages", "added"),
        ("From other packages", "extensions"),
    ):
        if facts[key]:
            lines += [f"- {title}:", *_nested(facts[key], "  ")]
    return lines or ["Not recorded."]


def _nested(values: dict[str, Any], indent: str) -> list[str]:
    lines = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += [f"{indent}- {escaped(name)}:", *_nested(value, indent + "  ")]
        else:
            lines.append(f"{indent}- {escaped(name)}: {escaped('none' if value is None else value)}")
    return lines
