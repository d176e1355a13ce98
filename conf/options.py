"""Options of what another package adds, read as the section that it declares for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from conf.errors import ConfigError
from conf.section import Section

S = TypeVar("S", bound=Section)


def read_options(section: type[S], options: Mapping[str, Any], key: str, name: str) -> S:
    """The section with the values of a run file.

    Args:
        section: What the package declares.
        options: What the run file has.
        key: The key that has them, 'train.strategy.options'.
        name: What they are the options of.

    Raises:
        ConfigError: A value is not allowed, or there is no such option; it names those that there are.
    """
    try:
        return section.model_validate(dict(options))
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, (key, *item['loc'])))} = {item.get('input')!r}: {item['msg']}"
            for item in error.errors()
        )
        allowed = ", ".join(section.model_fields) or "none"
        raise ConfigError(f"{told}; the options of {name!r}: {allowed}") from None
