"""Lets an option take several values at once: `--input a b c` means `--input a --input b --input c`."""

from __future__ import annotations


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
