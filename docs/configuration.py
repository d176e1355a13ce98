"""The page of the configuration: every key with type, default and meaning, from the sections of `conf`."""

from __future__ import annotations

from conf.keys import DERIVED, REQUIRED, Key, Part, parts
from docs.markdown import code, escaped, table
from pipelines.added import run_model
from pipelines.stages import STAGES

_INTRODUCTION = """# Configuration

A run file has these keys, all of which may be left out unless they are required. On the command line
`--set KEY=VALUE` sets one, the value read as YAML, and some have a flag of their own, which takes text as
it is. In the names here `[]` stands for an item of a list and `*` for a name that you choose.
`ringlake run` takes a run file of yours; commands of single stages go by `conf/runs/python-docs.yaml` unless
`--run` names another, so that its values come before the defaults given here.

"""


def page() -> str:
    """The page."""
    sections = list(parts(run_model(STAGES)))
    top = [f"[{code(part.name)}](#{part.name})" for part in sections if part.name and "." not in part.name]
    return f"{_INTRODUCTION}Sections: {', '.join(top)}.\n{''.join(map(_section, sections))}"


def _section(part: Part) -> str:
    heading = code(part.name) if part.name else "Top of a run file"
    if "." not in part.name and part.name:
        # Plain text, whose anchor is the name on every renderer.
        heading = part.name
    if not part.keys:
        return f"\n## {heading}\n\n{escaped(part.meaning)}\n"
    rows = [
        [code(key.name), key.type, _default(key), escaped(key.meaning) + _flags(key)] for key in part.keys
    ]
    return (
        f"\n## {heading}\n\n{escaped(part.meaning)}\n\n{table(['key', 'type', 'default', 'meaning'], rows)}"
    )


def _default(key: Key) -> str:
    return key.default if key.default in (DERIVED, REQUIRED) else code(key.default)


def _flags(key: Key) -> str:
    """The commands' flags that set the key, as the end of its meaning."""
    given = [
        code(f"{stage.name} {flag.option}")
        for stage in STAGES
        for flag in stage.flags
        if flag.key == key.name
    ]
    return f" Flag: {', '.join(given)}." if given else ""
