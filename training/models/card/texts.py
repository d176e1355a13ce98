"""What a model is for, and what it is not good for: plain words that no measurement replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringlake.base.markdown import escaped

_OF_ALL = (
    "It was not tested for fairness between groups of people, for prejudice, or for harmful output. Do not "
    "let it decide about people, and do not use it where a mistake hurts somebody.",
    "Its scores, where there are some, are those of texts of the same origin that were held out. On other "
    "texts it is worse.",
)


def use(facts: Mapping[str, Any]) -> str:
    """What a model is meant for; of a task that does not say, what its models do.

    Args:
        facts: Those of `training.models.card.facts`.
    """
    return escaped(facts.get("use") or f"It {facts.get('summary') or 'has learned a task'}.", None)


def limits(facts: Mapping[str, Any]) -> list[str]:
    """What has to be known before it is used, a sentence or two each."""
    found = [escaped(line, None) for line in facts.get("limits") or ()]
    if facts.get("verb") == "answer":
        found.append(
            "It may also say that the context has no answer, by an empty one; it is sometimes wrong in that."
            if facts.get("no_answer")
            else "It answers every question, also one that the context does not answer."
        )
    if facts.get("longest"):
        found.append(f"It reads at most {facts['longest']:,} tokens at once.")
    return [*found, *_OF_ALL]
