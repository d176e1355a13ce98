"""Repair of text that was damaged on its way: encoding, Unicode form, control characters, white space.

Repair comes before every judgement, and running it again changes nothing. It never guesses at meaning:
quotes, ligatures, HTML entities and full-width letters stay as their author wrote them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache

import ftfy
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from ftfy.badness import is_bad

from pipelines.jit import kernel
from pipelines.text.code_points import SPACE, TABLE_SIZE, Bytes, Characters, Codes, Index, decode
from pipelines.text.normal_form import nfc

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

# Control sequences of terminals (ECMA-48, 5.3 to 5.6, and xterm's OSC, which BEL may end): colours, cursor
# movements, window titles, character sets. Without its escape the rest looks like text. A string that is not
# ended on its line is left to the other patterns, so that it costs no text.
_TERMINAL_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"
    r"|\][^\x00-\x06\x07\x08\n\r\x1b]*(?:\x07|\x1b\\)"
    r"|[PX^_][^\n\r\x1b]*\x1b\\"
    r"|[ -/]+[0-~]"
    r"|[0-Z\\`-~])"
)
# Bold and underlined letters of printers: a letter over itself, or with a line under it.
_OVERSTRUCK = re.compile(r"([^\x08\n])(?:\x08\1)+|_\x08(?=[^\x08\n])")
_LINE_BREAK = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# C0 controls but for tab and line feed, delete, C1 controls, and byte order marks inside the text.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]")
_UNWANTED = frozenset(
    chr(code) for code in range(0x10000) if _LINE_BREAK.match(chr(code)) or _CONTROL.match(chr(code))
)
_C1 = re.compile(r"[\x80-\x9f]")
_MANY_BREAKS = re.compile(r"\n{4,}")

# Characters of these blocks are in none of ftfy's patterns for a wrong encoding: scripts from Hebrew to
# Georgian and from Hangul to Khmer, ideographs, Hangul. Nor do the common marks make one by themselves, nor
# Latin letters and signs among ASCII, but for four letters.
_SAFE_BLOCKS = ((0x0590, 0x1CFF), (0x2E80, 0xA63F), (0xAC00, 0xD7FF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF))
_LATIN = ((0xA1, 0x24F), (0x20AC, 0x20AC), (0x2122, 0x2122))
_MOJIBAKE_LETTERS = "ÂÃŒœ"
_ALWAYS, _BESIDE_OTHERS = 2, 1
_SAFE_MARKS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2018\u2019\u201c\u201d\u2022\u2026\u00a0\u00b7"

# Without it before each line, ftfy's pattern finds in a text what it finds in one of its lines.
_LINE_BEGINNING = re.compile(r"\n[ÃÂ]")

MAX_BLANK_LINES = 2

_BY_LINE = _MOJIBAKE_ONLY.max_decode_length
"""Characters of a text beyond which it is repaired line by line; of longer ones ftfy judges pieces."""

_LARGE = 2**17
"""Characters from which counting them in a table of all code points is faster than one by one."""

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
        ('café\n\n\nschön', 11)
    """
    repaired = _once(text)
    if repaired == text:
        return text, 0
    for _ in range(_MAX_PASSES):
        again = _once(repaired)
        if again == repaired:
            break
        repaired = again
    return repaired, _num_gone(text, repaired)


def _num_gone(text: str, repaired: str) -> int:
    """Characters that a text has and its repaired form has not, each as often as it occurs."""
    if len(text) < _LARGE:
        return (Counter(text) - Counter(repaired)).total()
    had, has = (
        np.bincount(np.frombuffer(each.encode("utf-32-le", "surrogatepass"), np.uint32), minlength=0x110000)
        for each in (text, repaired)
    )
    return int(np.maximum(had - has, 0).sum())


def _once(text: str) -> str:
    if len(text) > _BY_LINE:
        # Beside a few suspicious lines a large text has hundreds of thousands that nothing is wrong with.
        lines = text.split("\n")
        text = "\n".join([line if line.isascii() and line.isprintable() else _line(line) for line in lines])
    elif text.isascii():
        text = _without_controls(text)
    else:
        text = _without_controls(nfc(_fix_encoding(text)))
    text = "\n".join([line.rstrip() for line in text.split("\n")])
    return _MANY_BREAKS.sub("\n" * (MAX_BLANK_LINES + 1), text).strip("\n")


def _line(line: str) -> str:
    """What becomes of a line by itself: no fault of a character reaches beyond one."""
    return _without_controls(nfc(_fix_line(line)), is_line=True)


def _without_controls(text: str, is_line: bool = False) -> str:
    """The text without control characters, every line break LF; behind a line comes one more."""
    present = _UNWANTED.intersection(text)
    if "\x1b" in present:
        text = _TERMINAL_ESCAPE.sub("", text)
    if "\x08" in present:
        text = _OVERSTRUCK.sub(r"\1", text)
    if present:
        text = _LINE_BREAK.sub("\n", text.removesuffix("\r") if is_line else text)
        text = _CONTROL.sub("", text)
    return text


def _fix_encoding(text: str) -> str:
    # ftfy's word for a whole text depends on all of it; a line is what one program wrote.
    lines = text.split("\n")
    # Its pattern takes 0.2 microseconds a character, and there is nothing for it in ASCII.
    is_bad_somewhere = _LINE_BEGINNING.search(text) or any(
        is_bad(line) for line in lines if not line.isascii()
    )
    return "\n".join([_fix_line(line) for line in lines]) if is_bad_somewhere else text


def _fix_line(line: str) -> str:
    if line.isascii():
        return line
    # What ftfy finds out too, at twenty times the cost: of a text of a million lines 20 s.
    if len(line) <= _MOJIBAKE_ONLY.max_decode_length and not is_bad(line) and not _C1.search(line):
        return line
    return ftfy.fix_text(line, _MOJIBAKE_ONLY)


def repair_all(texts: pa.LargeStringArray) -> tuple[pa.LargeStringArray, Index]:
    """The repaired texts, and how many characters of each were changed or removed, int64.

    Most texts of a crawl need no repair, and a look at their characters says so; the others are repaired
    one by one.
    """
    num_repairs = np.zeros(len(texts), np.int64)
    suspects = suspicious(decode(texts))
    rows = np.flatnonzero(suspects)
    if not rows.size:
        return texts, num_repairs
    pairs = [repair(text) for text in texts.take(pa.array(rows)).to_pylist()]
    num_repairs[rows] = [count for _, count in pairs]
    repaired = pa.array([text for text, _ in pairs], pa.large_string())
    return pc.replace_with_mask(texts, pa.array(suspects), repaired), num_repairs


def suspicious(characters: Characters) -> npt.NDArray[np.bool_]:
    """Which texts repair could change, bool of shape (texts,); the others it leaves as they are."""
    return _suspicious(characters.codes, characters.kinds, characters.bounds, _suspects())


@cache
def _suspects() -> Bytes:
    """What a character can be part of, by code point, uint8 of shape (TABLE_SIZE,).

    ALWAYS: control characters and odd line breaks, what ftfy may take for a wrong encoding, and what NFC
    changes, alone or behind another character. BESIDE_OTHERS: what ftfy may take for a wrong encoding only
    beside another character beyond ASCII.
    """
    suspects = np.full(TABLE_SIZE, _ALWAYS, np.uint8)
    suspects[:0x80] = 0
    suspects[0x1F000:] = 0
    for first, last in _SAFE_BLOCKS:
        suspects[first : last + 1] = 0
    suspects[[ord(mark) for mark in _SAFE_MARKS]] = 0
    for first, last in _LATIN:
        suspects[first : last + 1] = _BESIDE_OTHERS
    suspects[[ord(letter) for letter in _MOJIBAKE_LETTERS]] = _ALWAYS
    for code in range(0x80, TABLE_SIZE):
        character = chr(code)
        if unicodedata.combining(character) or not unicodedata.is_normalized("NFC", character):
            suspects[code] = _ALWAYS
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            suspects[int(parts[1], 16)] = _ALWAYS
    suspects[0x1100:0x1200] = _ALWAYS  # Hangul Jamo compose to syllables
    suspects[:0x20] = _ALWAYS
    suspects[[ord("\t"), ord("\n")]] = 0
    suspects[0x7F] = _ALWAYS
    return suspects


@kernel
def _suspicious(codes: Codes, kinds: Bytes, bounds: Index, suspects: Bytes) -> npt.NDArray[np.bool_]:
    found = np.zeros(bounds.size - 1, np.bool_)
    for text in range(found.size):
        start, end = bounds[text], bounds[text + 1]
        feeds = 3  # as if before the text; a line feed at its beginning is one too many
        fault = False
        space = False
        for index in range(start, end):
            code = codes[index]
            suspect = suspects[code] if code < TABLE_SIZE else _ALWAYS
            if suspect == _BESIDE_OTHERS:
                fault |= index > start and codes[index - 1] >= 0x80
                fault |= index + 1 < end and codes[index + 1] >= 0x80
            elif suspect == _ALWAYS:
                fault = True
            if code == 0x0A:
                feeds += 1
                fault |= feeds > 3 or space
                space = False
            else:
                feeds = 0
                space = (kinds[index] & SPACE) != 0
        found[text] = fault or space or (feeds > 0 and start < end)
    return found
