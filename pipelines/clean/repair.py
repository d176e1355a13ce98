"""Repair of text that was damaged on its way: encoding, Unicode form, control characters, white space.

Repair comes before every judgement, and running it again changes nothing. It never guesses at meaning:
quotes, ligatures, HTML entities and full-width letters stay as their author wrote them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

import ftfy
import numpy as np
import numpy.typing as npt
import pyarrow as pa

# Only what undoes an encoding fault; the other fixes of ftfy are changes of style.
_MOJIBAKE_ONLY = ftfy.TextFixerConfig(
    unescape_html=False,
    remove_terminal_escapes=False,
    fix_encoding=True,
    restore_byte_a0=True,
    replace_lossy_sequences=True,
    decode_inconsistent_utf8=True,
    fix_c1_controls=True,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    fix_surrogates=False,
    remove_control_chars=False,
    normalization=None,
    explain=False,
)

# CSI sequences of terminals: colours and cursor movements. Without its escape the rest looks like text.
_TERMINAL_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LINE_BREAK = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# C0 controls but for tab and line feed, delete, C1 controls, and byte order marks inside the text.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]")
_MANY_BREAKS = re.compile(r"\n{4,}")

# What would change an ASCII text; without any of it, one search is all that repair costs.
_ASCII_FAULT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|[ \t]\n|\n{4}|\A\n|\s\Z")

MAX_BLANK_LINES = 2

# Undoing one fault can uncover another; texts found so far needed three passes at most.
_MAX_PASSES = 20


def repair(text: str) -> tuple[str, int]:
    r"""The repaired text and how many characters were changed or removed.

    In this order: text decoded with the wrong encoding is decoded again where ftfy is sure of it; NFC;
    terminal escapes and control characters go, line breaks of all kinds become LF; white space at line
    ends goes, as do blank lines at both ends and beyond two in a row.

    The count is of the characters, each as often as it occurs, that the text had and the repaired text
    no longer has.

    Example:
        >>> repair("cafe\u0301\r\n\r\n\r\n\r\nschÃ¶n \n")
        ('café\n\n\nschön', 9)
    """
    if text.isascii() and not _ASCII_FAULT.search(text):
        return text, 0
    repaired = _once(text)
    if repaired == text:
        return text, 0
    for _ in range(_MAX_PASSES):
        again = _once(repaired)
        if again == repaired:
            break
        repaired = again
    return repaired, (Counter(text) - Counter(repaired)).total()


def _once(text: str) -> str:
    if not text.isascii():
        text = _fix_encoding(text)
        text = unicodedata.normalize("NFC", text)
    if "\x1b" in text:
        text = _TERMINAL_ESCAPE.sub("", text)
    text = _LINE_BREAK.sub("\n", text)
    text = _CONTROL.sub("", text)
    text = "\n".join([line.rstrip() for line in text.split("\n")])
    return _MANY_BREAKS.sub("\n" * (MAX_BLANK_LINES + 1), text).strip("\n")


def _fix_encoding(text: str) -> str:
    # ftfy's word for a whole text depends on all of it; a line is what one program wrote.
    return "\n".join(
        [line if line.isascii() else ftfy.fix_text(line, _MOJIBAKE_ONLY) for line in text.split("\n")]
    )


def repair_all(texts: pa.LargeStringArray) -> tuple[pa.LargeStringArray, npt.NDArray[np.int64]]:
    """The repaired texts, and how many characters of each were changed or removed, int64."""
    pairs = [repair(text) for text in texts.to_pylist()]
    repaired = pa.array([text for text, _ in pairs], pa.large_string())
    return repaired, np.array([count for _, count in pairs], np.int64)
