"""docs/corpus.md says of every rule, step, profile and reason what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.clean.profiles import PROFILES
from pipelines.clean.rules import RULES, STEPS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "corpus.md"


def rule_rows() -> list[str]:
    return [
        f"| `{rule.name}` | {rule.comparison} {rule.threshold:g} | {rule.meaning} | {rule.origin} |"
        for rule in RULES.values()
    ]


def step_rows() -> list[str]:
    return [f"| `{step.name}` | {step.meaning} | {step.origin} |" for step in STEPS.values()]


def profile_rows() -> list[str]:
    return [
        f"| `{profile.name}` | {profile.meaning} | {len(profile.items)} | `{profile.splitter}` "
        f"| {', '.join(sorted(profile.languages)) or 'all'} |"
        for profile in PROFILES.values()
    ]


def test_the_tables_of_the_guide_are_those_of_the_code() -> None:
    written = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    for expected in (rule_rows(), step_rows(), profile_rows()):
        assert sorted(line for line in written if line in expected) == sorted(expected)
    names = {match.group(1) for line in written if (match := re.match(r"\| `([^`]+)`", line))}
    in_code = {*RULES, *STEPS, *PROFILES}
    assert {name for name in names if re.search(r"\.(min|max|lines)$", name)} <= in_code


def test_every_reason_of_quarantine_is_explained() -> None:
    sources = DOCUMENT.parents[1] / "pipelines" / "ingest"
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted(sources.glob("*.py")))
    used = set(
        re.findall(
            r'"((?:not|bad|too|text_is|text_not|target_is|target_not|missing|duplicate|unknown|no_main)_[a-z0-9_]+)"',
            code,
        )
    )
    used |= {"empty", "truncated", "corrupt", "bomb", "unreadable"}
    used -= {"text_field", "text_unit", "bad_lines"}
    written = set(re.findall(r"^\| `([a-z_0-9]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    assert used <= written, sorted(used - written)
