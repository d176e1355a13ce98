"""The checks with which a module of python-stdnum begins, read from its source.

Only what is certain is taken: statements of plain functions, in their order, that look at a number's length,
characters and patterns alone. What cannot be read, or does more, ends the beginning.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from stdnum import util

PATTERN_METHODS = frozenset({"match", "search", "fullmatch"})
_AS_VALIDATE = re.compile(r"try:\n    return bool\(validate\(number\b")
_TAKES_STRING = frozenset({"strip", "upper", "lower", "startswith", "endswith", "isalpha", "group"})
_EXPRESSIONS = (
    *(ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Subscript, ast.Slice),
    *(ast.UnaryOp, ast.unaryop, ast.BoolOp, ast.boolop, ast.Compare, ast.cmpop, ast.Call, ast.Attribute),
)


def compacts(statement: ast.stmt) -> bool:
    """Whether it is the statement with which nearly all of them begin."""
    return ast.unparse(statement) == "number = compact(number)"


def beginning(module: Any) -> Iterator[ast.stmt]:
    """The checks at the beginning of `validate`: where it raises they return False, where it returns True.

    None where `is_valid` is not what `validate` says.
    """
    validate: Any = getattr(module, "validate", None)
    is_valid: Any = getattr(module, "is_valid", None)
    if (
        not _is_plain(validate)
        or not _is_plain(is_valid)
        or is_valid.__globals__.get("validate") is not validate
    ):
        return
    if not _AS_VALIDATE.match("\n".join(map(ast.unparse, body_of(is_valid)))):
        return
    known = {"number"}
    # Without what its parameters and variables hide.
    names = {
        name: value
        for name, value in validate.__globals__.items()
        if name not in validate.__code__.co_varnames
    }
    for statement in body_of(validate):
        if compacts(statement):
            if not is_closed(names.get("compact")):
                return
            yield statement
            continue
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name != "number":
                if not _is_cheap(value, known, names):
                    return
                known.add(name)
                yield statement
            case ast.If(test=test, body=[ast.Raise() | ast.Return() as end], orelse=[]):
                if not _is_cheap(test, known, names):
                    return
                answer = ast.Constant(isinstance(end, ast.Return))
                yield ast.If(test=test, body=[ast.Return(answer)], orelse=[])
            case _:
                return


def is_closed(function: Any) -> bool:
    """Whether a function's meaning is its code and its module."""
    return isinstance(function, FunctionType) and not function.__closure__


def _is_plain(function: Any) -> bool:
    return isinstance(function, FunctionType) and function.__code__.co_varnames[:1] == ("number",)


def body_of(function: FunctionType) -> list[ast.stmt]:
    """The statements of a function without its docstring; none where its source is not to be had."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return []
    match tree.body:
        case [ast.FunctionDef(decorator_list=[], body=[ast.Expr(value=ast.Constant()), *rest])]:
            return rest
        case [ast.FunctionDef(decorator_list=[], body=body)]:
            return body
    return []


def _is_cheap(expression: ast.expr, known: set[str], names: dict[str, Any]) -> bool:
    """Whether it is made of a number's length, characters and patterns alone, and is the same here."""
    for node in ast.walk(expression):
        if not isinstance(node, _EXPRESSIONS):
            return False
        if isinstance(node, ast.Call) and (node.keywords or not _is_cheap_call(node.func, names)):
            return False
        if isinstance(node, ast.Name) and node.id not in known | {"len", "isdigits", "clean"}:
            value = names.get(node.id)
            if not isinstance(value, str | int | tuple | frozenset | set | dict | list | re.Pattern):
                return False
    return True


def _is_cheap_call(function: ast.expr, names: dict[str, Any]) -> bool:
    match function:
        case ast.Name(id="len"):
            return "len" not in names
        case ast.Name(id="isdigits"):
            return names.get("isdigits") is util.isdigits
        case ast.Name(id="clean"):
            return names.get("clean") is util.clean
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in PATTERN_METHODS:
            return isinstance(names.get(name), re.Pattern)
        case ast.Attribute(attr=attr):
            return attr in _TAKES_STRING
    return False
