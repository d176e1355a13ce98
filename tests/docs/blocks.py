"""The fenced blocks of a page that is executed, and whether what a block shows is what was printed.

A block's kind is the first word of its fence:

- `bash`: commands, run by bash in the folder of the page's reader until one fails.
- `python NAME` and any other kind with a name: a file, which is written.
- `python` without a name: a program, which is run.
- `text`: what the block before it prints, on standard output and standard error.

A shown line has to be among the printed ones, as often as it is shown, and nothing else may be printed
unless a line of the block is `...`. Within a line `...` stands for anything: times, rates, sizes in memory,
dates, paths. White space does not count. What a training measures (losses, bits per byte) has to be near.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ANYTHING = "..."

NEAR = 0.15
"""Relative difference of two scores: rounding differs between machines, and a training amplifies it."""

_PASSING = re.compile(
    r"^  \w+: \d+ s, |^tokenizer: (?:read |.* for [\d,]+ s$)|^WARNING: Using incubator modules"
)
"""Lines that tell of waiting, as many as it takes long, and what the JVM says of itself."""

_SCORED = re.compile(r"\b(?:loss|bits per byte)\b")
_SCORE = re.compile(r"\b\d+\.\d+\b")


@dataclass(frozen=True)
class Block:
    """A fenced block: the line of its fence, its kind, a file's name or nothing, what stands in it."""

    line: int
    kind: str
    name: str
    text: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a Markdown page, in order."""
    found: list[Block] = []
    fence: tuple[int, str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.splitlines(), start=1):
        if fence is None and line.startswith("```"):
            kind, _, name = line[3:].partition(" ")
            fence, lines = (number, kind, name), []
        elif fence is not None and line == "```":
            found.append(Block(*fence, "".join(f"{item}\n" for item in lines)))
            fence = None
        else:
            lines.append(line)
    assert fence is None, f"the block {fence} has no end"
    return found


def execute(block: Block, folder: Path, environment: Mapping[str, str], seconds: float) -> str:
    """Writes the file of a block, or runs it and returns what it printed; its exit code has to be 0."""
    if block.name:
        (folder / block.name).write_text(block.text, encoding="utf-8")
        return ""
    program = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": ["python", "-c"]}[block.kind]
    # A program is looked for on the PATH of the one who starts it, not on the one that it is given.
    found = next(
        path for item in environment["PATH"].split(os.pathsep) if (path := Path(item, program[0])).exists()
    )
    done = subprocess.run(
        [str(found), *program[1:], block.text],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, (
        f"the block of line {block.line} ended with exit code {done.returncode}:\n{block.text}\n{done.stdout}"
    )
    return done.stdout


def differences(shown: str, printed: str) -> list[str]:
    """What a block shows and was not printed, and what was printed and is not shown; empty if all is well."""
    wanted, left = _lines(shown), _lines(printed)
    told = []
    for line in wanted:
        if line.strip() == ANYTHING:
            continue
        place = next((index for index, other in enumerate(left) if is_alike(line, other)), None)
        if place is None:
            told.append(f"shown, but not printed: {line}")
        else:
            del left[place]
    if not any(line.strip() == ANYTHING for line in wanted):
        told += [f"printed, but not shown: {line}" for line in left]
    return told


def is_alike(shown: str, printed: str) -> bool:
    """Whether a printed line is the one shown, but for what is left out there and scores that are near."""
    shown, printed = " ".join(shown.split()), " ".join(printed.split())
    pattern = ".*".join(re.escape(part) for part in shown.split(ANYTHING))
    scores = _SCORE.findall(shown) if _SCORED.search(shown) else []
    for score in scores:
        pattern = pattern.replace(re.escape(score), r"(\d+\.\d+)", 1)
    found = re.fullmatch(pattern, printed)
    return found is not None and all(
        abs(float(one) - float(other)) <= NEAR * max(float(one), float(other))
        for one, other in zip(scores, found.groups(), strict=True)
    )


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not _PASSING.search(line)]
