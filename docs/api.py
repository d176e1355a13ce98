"""The page of the Python API: signatures and docstrings of what `ringlake` offers."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

import ringlake
from docs.markdown import code, escaped, table

_HEADING = re.compile(r"^(Args|Attributes|Returns|Raises|Example):$", re.MULTILINE)
_ENTRY = re.compile(r"^(\S[^:\n]*): ", re.MULTILINE)


def page() -> str:
    """The page."""
    found = {name: getattr(ringlake, name) for name in ringlake.__all__}
    rows = [[f"[{code(name)}](#{name.lower()})", escaped(_summary(value))] for name, value in found.items()]
    sections = [_section(name, value) for name, value in found.items()]
    return (
        f"# Python API\n\n{_text(inspect.getdoc(ringlake) or '')}\n{table(['name', 'is'], rows)}"
        f"{''.join(sections)}"
    )


def _section(name: str, value: Any) -> str:
    described = _docstring(inspect.getdoc(value) or "")
    heading = f"\n## {name}\n\n"
    if not inspect.isclass(value) or issubclass(value, Exception):
        shown = "" if inspect.isclass(value) else _indented(_signature(name, value))
        return heading + shown + described
    own = "".join(
        f"\n### {name}.{method}\n\n{_member(method, member)}"
        for method, member in vars(value).items()
        if not method.startswith("_") and _unwrapped(member) is not None
    )
    return heading + _indented(_signature(name, value)) + described + own


def _member(name: str, member: Any) -> str:
    function = _unwrapped(member)
    shown = "" if isinstance(member, property) else _indented(_signature(name, function))
    return shown + _docstring(inspect.getdoc(function) or "")


def _unwrapped(member: Any) -> Any:
    """The function of a method or a property that has a docstring of its own; None for anything else."""
    function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    return function if inspect.isfunction(function) and function.__doc__ else None


def _signature(name: str, value: Any) -> str:
    """A call as it is written: annotations as in the source, an argument a line where it would be long."""
    signature = inspect.signature(value)
    parameters = [each for each in signature.parameters.values() if each.name not in ("self", "cls")]
    shown = signature.replace(parameters=parameters)
    # A function that is a default is shown by its name, without the place in memory where it lies.
    shown_text = re.sub(r"<function ([\w.]+) at 0x[0-9a-f]+>", r"\1", str(shown))
    text = name + re.sub(r"(?<=: )'([^']*)'|(?<=-> )'([^']*)'", lambda m: m[1] or m[2], shown_text)
    text = text.removesuffix(" -> None") if inspect.isclass(value) else text
    if len(text) <= 100:
        return text
    begin, arguments, end = text.partition("(")[0], *text.partition("(")[2].rsplit(")", 1)
    lines = re.split(r", (?=[\w*]+(?::|,|$|=))", arguments)
    return f"{begin}(\n" + "".join(f"    {line},\n" for line in lines) + f"){end}"


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ") + "\n\n"


def _summary(value: Any) -> str:
    return " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split())


def _docstring(text: str) -> str:
    """A docstring of Google's style: paragraphs, what it takes and raises as lists, its example as code."""
    parts = _HEADING.split(text)
    result = _text(parts[0])
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        content = textwrap.dedent(body.strip("\n")).rstrip()
        if heading == "Example":
            result += f"\nExample:\n\n{_indented(re.sub(r'  # doctest: .*', '', content))}".rstrip() + "\n"
        elif _ENTRY.match(content):
            entries = _ENTRY.split(content)[1:]
            listed = zip(entries[::2], entries[1::2], strict=True)
            result += f"\n{heading}:\n\n" + "".join(
                f"- {code(name)}: {escaped(meaning)}\n" for name, meaning in listed
            )
        else:
            result += f"\n{heading}: {escaped(content)}\n"
    return result


def _text(text: str) -> str:
    """Paragraphs; one that is indented is code."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text.strip("\n")) if part.strip()]
    return "\n".join(
        f"{part.rstrip()}\n" if part.startswith("    ") else f"{escaped(part)}\n" for part in paragraphs
    )
