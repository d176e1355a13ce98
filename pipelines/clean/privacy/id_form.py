"""Which texts can be a number of a module of python-stdnum at all: its own first checks, made cheap.

`validate` of such a module nearly always begins with `number = compact(number)` and goes on with checks of
length and characters that raise. Most of its time goes into cleaning Unicode character by character and into
raising. The form of a module is that beginning, read from its source: the same statements in the same order,
with raising as False, up to the first one that is more than a cheap check, from where on the answer is "ask
the library". So a form says no only where the library does; what is not understood says nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import takewhile
from types import FunctionType
from typing import Any

from stdnum import util

from pipelines.clean.privacy.id_source import PATTERN_METHODS, beginning, body_of, compacts, is_closed

SEPARATORS = " ./-"
MAX_CHARACTERS = 32
"""Of a candidate, its separators included."""


class IdForm:
    """What a module's numbers look like, as far as its source says.

    Attributes:
        deleted: Those of SEPARATORS that its `compact` takes out, which is all that it does to a number but
            for case; None if it does more or is not understood.
        lengths: How many characters a compact number can have, of 0 to MAX_CHARACTERS; all if that is not
            known.
    """

    def __init__(self, module: Any) -> None:
        """Reads the source of a module of python-stdnum; one that cannot be read allows every text."""
        self.deleted: frozenset[str] | None = None
        self.lengths = frozenset(range(MAX_CHARACTERS + 1))
        self._check: Callable[[str], bool] | None = None
        checks = list(beginning(module))
        if not checks:
            return
        self._check = _compiled(module, checks)
        self.deleted = _deleted(module) if compacts(checks[0]) else frozenset()
        if self.deleted is not None:
            # Behind a later `compact` a number is another one.
            alike = takewhile(lambda statement: not compacts(statement), checks[1:])
            asked = [_asked_of_length(test, module) for test in _without_names([checks[0], *alike])]
            self.lengths = frozenset(filter(lambda length: _has_length(asked, length), self.lengths))

    def allows_length(self, num_characters: int, separators: dict[str, int]) -> bool:
        """Whether a number of so many letters and digits and of so many of each separator can be one."""
        if self.deleted is None:
            return True
        left = sum(count for character, count in separators.items() if character not in self.deleted)
        return num_characters + left in self.lengths

    def allows(self, written: str) -> bool:
        """Whether the library has to be asked about a text of letters, digits and SEPARATORS."""
        if self._check is None:
            return True
        try:
            return self._check(written)
        except Exception:  # noqa: BLE001 - a check that stumbles here is the library's to answer for
            return True


def clean(number: str, deletechars: str = "") -> str:
    """What `stdnum.util.clean` gives for a text of ASCII letters, digits and SEPARATORS.

    Example:
        >>> clean("12-34 5", "-")
        '1234 5'
    """
    for character in deletechars:
        if character in number:
            number = number.replace(character, "")
    return number


def _compiled(module: Any, statements: list[ast.stmt]) -> Callable[[str], bool]:
    """The beginning as a function, with the quick `clean`."""
    function = ast.parse("def form(number): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = [*statements, ast.Return(ast.Constant(True))]
    names = dict(module.validate.__globals__)
    names |= {"clean": clean, "compact": _fast(names.get("compact"))}
    code = compile(
        ast.fix_missing_locations(ast.Module([function], [])), f"<form of {module.__name__}>", "exec"
    )
    exec(code, names)  # noqa: S102 - statements of the installed library
    form: Callable[[str], bool] = names["form"]
    return form


def _fast(compact: Any) -> Callable[[str], str] | None:
    """A module's `compact` with the quick `clean`; None where it is no function of the module's own."""
    if not is_closed(compact):
        return None
    names = dict(compact.__globals__)
    if names.get("clean") is util.clean:
        names["clean"] = clean
    return FunctionType(compact.__code__, names, compact.__name__, compact.__defaults__)


def _deleted(module: Any) -> frozenset[str] | None:
    """What a `compact` that only cleans and changes case takes out of SEPARATORS."""
    compact = module.validate.__globals__["compact"]
    match body_of(compact):
        case [ast.Return(value=expression)] if expression is not None:
            pass
        case _:
            return None
    while isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        if expression.args or expression.keywords or expression.func.attr not in {"strip", "upper", "lower"}:
            return None
        expression = expression.func.value
    match expression:
        case ast.Call(func=ast.Name(id="clean"), args=[ast.Name(id="number"), *rest], keywords=[]):
            pass
        case _:
            return None
    if compact.__globals__.get("clean") is not util.clean or len(rest) > 1:
        return None
    if not rest:
        return frozenset()
    if not isinstance(rest[0], ast.Constant) or not isinstance(rest[0].value, str):
        return None
    deleted = frozenset(rest[0].value)
    return None if any(map(str.isalnum, deleted)) else deleted & frozenset(SEPARATORS)


_Check = tuple[Callable[[int], bool] | None, bool]
"""For which lengths a number surely leaves at an `if` (None: not known), and whether as a valid one."""


def _without_names(statements: list[ast.stmt]) -> Iterator[ast.If]:
    """The checks, those of a name with what the name stands for: "match = ..." and "if not match" as one."""
    values: dict[str, ast.expr] = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values[name] = value
            case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=name)), body=body) if (
                name in values
            ):
                yield ast.If(ast.UnaryOp(ast.Not(), values[name]), body, [])
            case ast.If():
                yield statement


def _asked_of_length(statement: ast.If, module: Any) -> _Check:
    answer = ast.unparse(statement.body[0]) == "return True"
    form = ast.parse(ast.unparse(statement.test).replace("len(number)", "length"), mode="eval")
    nodes = list(ast.walk(form))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    if names == {"length"} and not any(isinstance(node, ast.Call | ast.Attribute) for node in nodes):
        asked = compile(form, "<length>", "eval")
        return (lambda length: bool(eval(asked, {"length": length}))), answer  # noqa: S307 - of the library
    match statement.test:
        case ast.UnaryOp(
            op=ast.Not(),
            operand=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=[number]),
        ) if attr in PATTERN_METHODS and ast.unparse(number) in {"number", "clean(number, '').strip()"}:
            shortest, longest = _widths(module.validate.__globals__[name])
            return (lambda length: not shortest <= length <= longest), answer
    return None, answer


def _widths(pattern: re.Pattern[str]) -> tuple[int, int]:
    """How many characters a text can have in which a pattern finds something."""
    # Python has the parser of patterns under this name only; without it nothing is known.
    try:
        tree = import_module("re._parser").parse(pattern.pattern, pattern.flags)
        shortest, longest = tree.getwidth()
        ends = [str(place) for kind, place in (tree[0], tree[-1]) if str(kind) == "AT"]
    except (ImportError, AttributeError, IndexError, TypeError, ValueError):
        return 0, MAX_CHARACTERS
    is_whole = ends == ["AT_BEGINNING", "AT_END"] and not pattern.flags & re.MULTILINE
    return shortest, longest if is_whole else MAX_CHARACTERS


def _has_length(checks: list[_Check], length: int) -> bool:
    """Whether a number of that length gets through the checks, or leaves them as a valid one."""
    for leaves, answer in checks:
        if leaves is not None:
            if leaves(length):
                return answer
        elif answer:
            # Numbers of any length may leave here.
            return True
    return True
