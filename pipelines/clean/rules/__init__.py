"""Every rule and text step by name: one module a paper, one entry a threshold."""

from pipelines.clean.rules import (
    blocklist,
    boilerplate,
    c4,
    documentation,
    fineweb,
    gopher_quality,
    gopher_repetition,
    language,
    length,
)
from pipelines.clean.rules.rule import Rule, Step

_MODULES = (length, language, gopher_quality, gopher_repetition, c4, fineweb, documentation, blocklist)

RULES: dict[str, Rule] = {rule.name: rule for module in _MODULES for rule in module.RULES}
STEPS: dict[str, Step] = {step.name: step for module in (c4, boilerplate) for step in module.STEPS}

__all__ = ["RULES", "STEPS", "Rule", "Step"]
