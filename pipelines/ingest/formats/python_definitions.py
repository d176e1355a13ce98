"""What a Python file defines: its module, classes, functions and methods, with names and docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = frozenset({ast.ClassDef, *FUNCTIONS})

# Statements whose blocks can hold further definitions, and the names of those blocks.
_BLOCKS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.If: ("body", "orelse"),
    ast.For: ("body", "orelse"),
    ast.AsyncFor: ("body", "orelse"),
    ast.While: ("body", "orelse"),
    ast.With: ("body",),
    ast.AsyncWith: ("body",),
    ast.Try: ("body", "handlers", "orelse", "finalbody"),
    ast.TryStar: ("body", "handlers", "orelse", "finalbody"),
    ast.ExceptHandler: ("body",),
    ast.Match: ("cases",),
    ast.match_case: ("body",),
}

MAX_NAME_CHARS = 500
"""Longest qualified name. Every definition carries those around it, so that names add up to far more than the
file has; the longest of 2,392 modules of packages has 152
characters."""


@dataclass(frozen=True, slots=True)
class Definition:
    """Something that a Python file defines.

    Attributes:
        node: The module, class or function.
        name: Its qualified name: package and module, then `__qualname__`; one that is longer than
            `MAX_NAME_CHARS` is cut behind the first character too many.
        docstring: Its docstring as it stands in the source, if it has one.
        of_class: Whether it is defined in the body of a class.
    """

    node: ast.AST
    name: str
    docstring: ast.Constant | None
    of_class: bool


def definitions(module: ast.Module, name: str) -> Iterator[Definition]:
    """All that a module defines, itself first, in the order of the file.

    Args:
        module: Its tree.
        name: Its dotted name.
    """
    # A stack instead of recursion: nesting is as deep as a hostile file wants it.
    pending: list[tuple[ast.AST, str, bool]] = [(module, name, False)]
    while pending:
        node, scope, of_class = pending.pop()
        fields = _BLOCKS.get(type(node))
        if fields is None:
            yield Definition(node, scope, _docstring(node), of_class)
            fields = ("body",)
            of_class = isinstance(node, ast.ClassDef)
            if isinstance(node, FUNCTIONS):
                scope = f"{scope}.<locals>"
            # What is longer than a name may be is as good as any longer one.
            scope = scope[: MAX_NAME_CHARS + 1]
        inner: list[tuple[ast.AST, str, bool]] = []
        for field in fields:
            for child in getattr(node, field):
                kind = type(child)
                if kind in _DEFINITIONS:
                    inner.append((child, f"{scope}.{child.name}", of_class))
                elif kind in _BLOCKS:
                    inner.append((child, scope, of_class))
        pending.extend(reversed(inner))


def module_name(source: str) -> str:
    """The dotted name of a module's source file: `stdlib/json/__init__.py` is `json`."""
    path = source.removesuffix(".py").removesuffix("/__init__")
    for root in ("stdlib/", "site-packages/"):
        path = path.removeprefix(root)
    return path.replace("/", ".")


def cleandoc(text: str) -> str:
    """What `inspect.cleandoc` gives, which takes blank lines off the beginning in quadratic time."""
    lines = text.expandtabs().split("\n")
    rest = [line for line in lines[1:] if line.lstrip()]
    margin = min((len(line) - len(line.lstrip()) for line in rest), default=0)
    lines[0] = lines[0].lstrip()
    lines[1:] = [line[margin:] for line in lines[1:]]
    first, last = 0, len(lines)
    while last > first and not lines[last - 1]:
        last -= 1
    while first < last and not lines[first]:
        first += 1
    return "\n".join(lines[first:last])


def _docstring(node: ast.AST) -> ast.Constant | None:
    body: list[ast.stmt] = getattr(node, "body")  # noqa: B009 - modules, classes and functions have it
    if body and isinstance(first := body[0], ast.Expr):
        value = first.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value
    return None
