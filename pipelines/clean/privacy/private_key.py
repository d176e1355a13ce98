"""Private keys in PEM form (RFC 7468, section 10 and 11; RFC 1421; RFC 4880, 6.2; OpenSSH's alike).

A block goes from the line that begins it to the line that ends it. Texts are cut, so that one of the two may
be missing: then goes what lies on the other's side and can be part of a key, which is headers and lines of
base64. Certificates and public keys are public and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.clean.privacy.detector import Span
from pipelines.clean.privacy.traits import DASHES

# "-----BEGIN RSA PRIVATE KEY-----", or what is left of it where the text was cut inside the line.
_MARK = re.compile(r"PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_LABEL = re.compile(r"(?:(?:-{1,5} ?)?(?P<what>BEGIN|END|[A-Z]{1,4}) )?(?:[A-Z0-9]{1,16} ){0,4}\Z")
_LABEL_WINDOW = 96

# Lines before the key itself: "Proc-Type: 4,ENCRYPTED", "Version: GnuPG v2", also in mails and code.
_GAP_CHARACTERS = r"\s\"'`,;>|#*()\\%&"
_HEADER = re.compile(
    rf"(?:(?:\\[nr]|[{_GAP_CHARACTERS}]){{0,64}}[A-Z][A-Za-z0-9-]{{1,40}}: [^\n\\]{{1,300}}"
    r"(?=\n|\\[nr])){1,16}"
)
_PIECE = re.compile(r"[A-Za-z0-9+/=]+")
_GAP = re.compile(rf"[{_GAP_CHARACTERS}]{{0,64}}\Z")

# Lines of a key have 64 or 76 characters. Words do not get that long, and mostly end at a space.
_MIN_PIECE = 24

MAX_CHARACTERS = 16_384
"""Longest block that goes whatever is in it; an RSA key of 16,384 bits has 12,700 characters. What is base64
goes however long it is."""


class PrivateKey:
    """Finds private keys, whole or cut."""

    kind = "private_key"
    needs = DASHES

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each key."""
        marks = [_mark(text, match) for match in _MARK.finditer(text)]
        taken = 0
        number = 0
        while number < len(marks):
            start, end, ends = marks[number]
            behind = marks[number + 1] if number + 1 < len(marks) else None
            limit = behind[0] if behind else len(text)
            if ends:
                start = _start_of_body(text, taken, start)
            elif behind and behind[2] and limit - end <= MAX_CHARACTERS:
                end = behind[1]
                number += 1
            else:
                end = _end_of_body(text, end, limit)
            yield max(start, taken), end
            taken = end
            number += 1


def _mark(text: str, match: re.Match[str]) -> tuple[int, int, bool]:
    """Where a mark begins and ends, and whether it is the end of a block."""
    low = max(0, match.start() - _LABEL_WINDOW)
    label = _LABEL.search(text[low : match.start()])
    assert label is not None  # it matches the empty text
    return low + label.start(), match.end(), label.group("what") == "END"


def _end_of_body(text: str, start: int, limit: int) -> int:
    """Where the headers and the base64 end that begin at `start`."""
    headers = _HEADER.match(text, start, limit)
    end = headers.end() if headers else start
    long = False
    for piece in _PIECE.finditer(text, end, limit):
        is_long = len(piece.group()) >= _MIN_PIECE
        if not _is_gap(text, end, piece.start()) or not (is_long or (long and _is_last(text, piece))):
            break
        end = piece.end()
        long = is_long or piece.group().startswith("=")
    return end


def _start_of_body(text: str, floor: int, stop: int) -> int:
    """Where the base64 begins that ends before `stop`."""
    start = stop
    pieces = list(_PIECE.finditer(text, floor, stop))
    for number, piece in enumerate(reversed(pieces)):
        # The last line is shorter, and behind OpenPGP's last line is a checksum.
        if len(piece.group()) < _MIN_PIECE and number > 1:
            break
        if not _is_gap(text, piece.end(), start):
            break
        start = piece.start()
    return start


def _is_gap(text: str, start: int, stop: int) -> bool:
    return stop - start <= 64 and _GAP.match(text[start:stop]) is not None


def _is_last(text: str, piece: re.Match[str]) -> bool:
    """Whether a short piece is the last line of a key and no word of a sentence."""
    return "=" in piece.group() or text[piece.end() : piece.end() + 1] in (
        "",
        "\n",
        "\r",
        "\\",
        '"',
        "'",
        ",",
        "-",
    )
