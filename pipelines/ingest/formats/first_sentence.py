"""The first sentence of a docstring, where it begins with one."""

from __future__ import annotations

import re

MAX_SENTENCE_CHARS = 300
"""Longest first sentence; PEP 257 asks for a summary that fits on a line."""

_MIN_WORDS = 3
_PARAGRAPHS = 2
_HEAD_CHARS = 4_000
"""Characters of a docstring that are looked at, so that a long one costs no more."""

_END = re.compile(r"[.!?][\"')\]]*+(?= [\"'(`\[]*[A-Z]|$)")
_ABBREVIATIONS = ("e.g.", "i.e.", "etc.", "vs.", "cf.")
_SIGNATURE = re.compile(r"[\w.]+ ?\(")
_NO_PROSE = (">>>", ":", "@", "-", "*", "=", "#", "$", "|")


def first_sentence(text: str) -> str | None:
    r"""The first sentence of a cleaned docstring in one line; None if it does not begin with one.

    A first paragraph that is a signature, as those of built-in functions are, is passed over. A sentence ends
    with a mark before a capital letter or the end of its paragraph; one without any is a sentence as a whole.

    Example:
        >>> first_sentence("Return a copy, e.g. of a\nlist. It is shallow.")
        'Return a copy, e.g. of a list.'
    """
    for paragraph in _paragraphs(text[:_HEAD_CHARS]):
        if _SIGNATURE.match(paragraph):
            continue
        sentence = _up_to_its_end(paragraph)
        is_prose = not sentence.startswith(_NO_PROSE) and not sentence.endswith((":", ","))
        if is_prose and len(sentence) <= MAX_SENTENCE_CHARS and _num_words(sentence) >= _MIN_WORDS:
            return sentence
        return None
    return None


def _paragraphs(text: str) -> list[str]:
    """The first paragraphs, each in one line."""
    found: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            found[-1].append(line)
        elif found[-1]:
            if len(found) == _PARAGRAPHS:
                break
            found.append([])
    return [" ".join(" ".join(lines).split()) for lines in found if lines]


def _up_to_its_end(paragraph: str) -> str:
    for end in _END.finditer(paragraph):
        sentence = paragraph[: end.end()]
        if not sentence.endswith(_ABBREVIATIONS):
            return sentence
    return paragraph


def _num_words(sentence: str) -> int:
    return sum(any(map(str.isalpha, word)) for word in sentence.split())
