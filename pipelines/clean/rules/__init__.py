"""Every rule and text step by name: one module a paper, one entry a threshold.

A module in this folder adds those of its constants `RULES` and `STEPS`; a package of another project adds the
one that its entry point in the group `ringlake.rules` names.
"""

from __future__ import annotations

from pipelines.clean.rules.rule import Rule, Step
from ringlake.base.extensions import Door
from ringlake.base.modules import modules_of

_MODULES = modules_of(__name__)

RULES: dict[str, Rule] = {rule.name: rule for module in _MODULES for rule in getattr(module, "RULES", ())}
STEPS: dict[str, Step] = {step.name: step for module in _MODULES for step in getattr(module, "STEPS", ())}

DOOR: Door[Rule | Step] = Door("rules", "rule", (Rule, Step), lambda: {**RULES, **STEPS})
"""Rules and steps of other packages."""

__all__ = ["DOOR", "RULES", "STEPS", "Rule", "Step"]
