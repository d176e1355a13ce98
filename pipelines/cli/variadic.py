"""Lets an option take several values at once: `--input a b c` means `--input a --input b --input c`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class VariadicCommand(TyperCommand):
    """A command whose multiple-valued options swallow all values up to the next option.

    A shell expands `--input logs/*.jsonl` into many words; scripts lean on that.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments as typer understands them."""
        options = {
            name
            for parameter in self.params
            if getattr(parameter, "multiple", False)
            for name in parameter.opts
            if name != "--set"
        }
        return super().parse_args(ctx, repeat_options(args, options))


def repeat_options(args: list[str], options: set[str]) -> list[str]:
    """The arguments with an option's name before each of its values.

    >>> repeat_options(["--input", "a", "b", "--lake", "l"], {"--input"})
    ['--input', 'a', '--input', 'b', '--lake', 'l']
    """
    result: list[str] = []
    current: str | None = None
    filled = False
    for index, arg in enumerate(args):
        if arg == "--":
            return result + args[index:]
        if arg.startswith("-") and arg != "-":
            current, filled = (arg, False) if arg in options else (None, False)
            result.append(arg)
        elif current is not None and filled:
            result += [current, arg]
        else:
            result.append(arg)
            filled = True
    return result
