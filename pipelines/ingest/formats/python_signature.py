"""How something that a Python file defines is called, told from its syntax tree; nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from pipelines.ingest.formats.python_definitions import FUNCTIONS

MAX_SIGNATURE_CHARS = 200
"""Longest signature that is written out: what a person reads at a glance; a longer one is `(...)`."""

_MAX_DEFAULT_CHARS = 40
_MAX_DOTS = 4

_BOUND = ("self", "cls", "mcs", "metacls")
"""First parameters of methods, which who calls them does not give."""

_ATTRIBUTES = frozenset({"property", "cached_property", "getter", "setter", "deleter"})
"""Decorators of functions that are used without being called."""


def signature(node: ast.AST, *, of_class: bool) -> str | None:
    """The parameters of a function, or of a class by its `__init__`, in brackets; None where it has none.

    Annotations are left out, and so are `self` and `cls`. A default that is no short literal and no name is
    `...`, and so is all of a signature above `MAX_SIGNATURE_CHARS`.

    Args:
        node: The definition.
        of_class: Whether it is defined in the body of a class.

    Example:
        >>> function = ast.parse("def f(a, /, b=1, *c, d=(1, 2), **e): pass").body[0]
        >>> signature(function, of_class=False)
        '(a, /, b=1, *c, d=..., **e)'
    """
    if isinstance(node, ast.ClassDef):
        made = next((one for one in node.body if isinstance(one, FUNCTIONS) and one.name == "__init__"), None)
        return None if made is None else _written(made.args, bound=True)
    if not isinstance(node, FUNCTIONS) or any(map(_is_attribute, node.decorator_list)):
        return None
    return _written(node.args, bound=of_class)


def _written(given: ast.arguments, *, bound: bool) -> str:
    parts: list[str] = []
    num_chars = 2
    for part in _parts(given, bound):
        num_chars += len(part) + 2 * bool(parts)
        if num_chars > MAX_SIGNATURE_CHARS:
            return "(...)"
        parts.append(part)
    return f"({', '.join(parts)})"


def _parts(given: ast.arguments, bound: bool) -> Iterator[str]:
    positional = [*given.posonlyargs, *given.args]
    defaults: Sequence[ast.expr | None] = [
        *[None] * (len(positional) - len(given.defaults)),
        *given.defaults,
    ]
    for place, (parameter, default) in enumerate(zip(positional, defaults, strict=True), 1):
        hidden = bound and place == 1 and parameter.arg in _BOUND
        if not hidden:
            yield _parameter(parameter, default)
        if place == len(given.posonlyargs) and not (hidden and place == 1):
            yield "/"
    if given.vararg is not None:
        yield f"*{given.vararg.arg}"
    elif given.kwonlyargs:
        yield "*"
    for parameter, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _parameter(parameter, default)
    if given.kwarg is not None:
        yield f"**{given.kwarg.arg}"


def _parameter(parameter: ast.arg, default: ast.expr | None) -> str:
    return parameter.arg if default is None else f"{parameter.arg}={_default(default)}"


def _default(value: ast.expr) -> str:
    """A default value as the source has it, where it is short and no tree has to be walked for it."""
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        inner = _default(value.operand) if isinstance(value.operand, ast.Constant) else "..."
        return inner if inner == "..." else f"-{inner}"
    if isinstance(value, ast.Constant):
        return _literal(value.value)
    if isinstance(value, ast.Tuple | ast.List | ast.Dict) and not _items(value):
        return {ast.Tuple: "()", ast.List: "[]", ast.Dict: "{}"}[type(value)]
    names: list[str] = []
    while isinstance(value, ast.Attribute) and len(names) < _MAX_DOTS:
        names.append(value.attr)
        value = value.value
    if not isinstance(value, ast.Name):
        return "..."
    written = ".".join([value.id, *reversed(names)])
    return written if len(written) <= _MAX_DEFAULT_CHARS else "..."


def _literal(value: object) -> str:
    if value is ... or (isinstance(value, str | bytes) and len(value) > _MAX_DEFAULT_CHARS):
        return "..."
    if isinstance(value, int) and value.bit_length() > 4 * _MAX_DEFAULT_CHARS:
        # To write a number of thousands of digits takes quadratic time, or is refused.
        return "..."
    written = repr(value)
    return written if len(written) <= _MAX_DEFAULT_CHARS else "..."


def _items(value: ast.Tuple | ast.List | ast.Dict) -> Sequence[ast.expr | None]:
    return value.keys if isinstance(value, ast.Dict) else value.elts


def _is_attribute(decorator: ast.expr) -> bool:
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", None)
    return name in _ATTRIBUTES
