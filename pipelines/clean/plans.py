"""The plans of a run: one for all documents, and one for each language with settings of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from conf.clean import CleanConfig
from conf.errors import ConfigError
from pipelines.clean.profiles import ProfilePlan, repairs, resolve
from pipelines.clean.resources import ALL_LANGUAGES
from ringlake.base.extensions import Extension

_CODE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True)
class Plans:
    """What cleaning does with documents of any language.

    Attributes:
        default: For languages without settings of their own.
        by_language: For the others.
        repair: Whether texts are repaired before anything else.
    """

    default: ProfilePlan
    by_language: Mapping[str, ProfilePlan] = field(default_factory=dict)
    repair: bool = True

    def of(self, language: str) -> ProfilePlan:
        """The plan for documents in a language."""
        return self.by_language.get(language, self.default)

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """What of other packages the rules and steps of all plans are, each once."""
        plans = (self.default, *self.by_language.values())
        return tuple(dict.fromkeys(found for plan in plans for found in plan.extensions))


def resolve_all(config: CleanConfig) -> Plans:
    """Every plan that a configuration asks for.

    Raises:
        ConfigError: See `resolve`; or a language is no code, or a threshold belongs to no plan.
        ExtensionError: See `resolve`.
    """
    for key in ("per_language", "stop_words", "word_blocklist"):
        allowed = {ALL_LANGUAGES} if key == "word_blocklist" else set()
        for code in getattr(config, key):
            if code not in allowed and (code == ALL_LANGUAGES or not _CODE.fullmatch(code)):
                also = f" or {ALL_LANGUAGES!r}" if allowed else ""
                raise ConfigError(
                    f"clean.{key}: {code!r} is no language code; use ISO 639-1 in lower case, e.g. en "
                    f"or zh{also}"
                )
    default = resolve(config)
    plans = Plans(default, {code: resolve(config, code) for code in config.per_language}, repairs(config))
    known = {name for plan in (default, *plans.by_language.values()) for name in plan.thresholds}
    unknown = sorted(set(config.thresholds) - known)
    if unknown:
        rules = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"clean.thresholds: {unknown} are no rules of this run; its rules: {rules}")
    if config.boilerplate and not any(
        item.name == "boilerplate.lines"
        for plan in (default, *plans.by_language.values())
        for item in plan.items
    ):
        raise ConfigError(
            "clean.boilerplate names lists, but no rule list has the step boilerplate.lines; "
            f'name it, for example --set \'clean.rules=["boilerplate.lines", "{config.profile}"]\''
        )
    return plans
