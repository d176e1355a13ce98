"""The characters of an HTML page from its bytes, as browsers have them.

The order is that of the HTML standard (13.2.3.2): byte order mark, HTTP header, the page's own declaration,
else what the bytes look like. Labels are those of the WHATWG Encoding Standard, by resiliparse; each stands
for the superset that the web means by it, for which Python has a codec under another name. Browsers that meet
a late declaration read the page again, so that it counts wherever it stands.
"""

from __future__ import annotations

import codecs
import re

from pipelines.files.record import Fault, FileFault, excerpt

_UTF_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# What may hold "<meta" without being one is passed over. Each alternative begins at its own "<" and takes
# bytes once, so that the time is linear; an open comment or script reaches to the end.
_DECLARATIONS = re.compile(
    rb"<!--.*?(?:-->|\Z)"
    rb"|<(script|style|title|textarea|noscript)\b.*?(?:</\1|\Z)"
    rb"|<meta[\s/]([^>]{0,2000})",
    re.I | re.S,
)
_META_CHARSET = re.compile(rb"""charset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{1,40})""", re.I)
_XML_ENCODING = re.compile(
    rb"""\s{0,9}<\?xml\b[^>]{0,200}?encoding\s{0,9}=\s{0,9}["']([\w.:-]{1,40})""", re.I
)

# The codecs that hold what the Encoding Standard's indexes hold, where Python's own name means less.
_CODECS = {
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso8859-11": "cp874",
    "x-mac-cyrillic": "mac_cyrillic",
}

_USER_DEFINED = "x-user-defined"

_REPLACEMENT = frozenset(
    ("csiso2022kr", "hz-gb-2312", "iso-2022-cn", "iso-2022-cn-ext", "iso-2022-kr", "replacement")
)
"""The labels of the encoding `replacement` (Encoding Standard, 4.2): browsers show one U+FFFD and no text."""


def decode_page(raw: bytes, declared: str | None) -> tuple[str, bool]:
    """The characters of a page, and whether bytes had to be replaced.

    Args:
        raw: The page.
        declared: The charset of the HTTP header.

    Raises:
        FileFault: 'bad_encoding' for a page declared in an encoding that browsers refuse to decode, as its
            ASCII bytes mean other characters: read as anything else it would be letters without sense.
    """
    try:
        return _decoded(raw, declared)
    except _Refused as refused:
        detail = (
            f"the page is declared as {refused}, which the Encoding Standard does not decode; "
            "convert it to UTF-8 and declare that"
        )
        raise FileFault(Fault(0, "bad_encoding", detail, excerpt(raw[:1000]))) from None


class _Refused(Exception):
    """A label of the encoding `replacement`."""


def _decoded(raw: bytes, declared: str | None) -> tuple[str, bool]:
    for mark, encoding in _UTF_MARKS:
        if raw.startswith(mark):
            return _decode(raw[len(mark) :], encoding)
    known = _known(declared)
    if known is not None:
        return _decode(raw, known)
    known = _declared_inside(raw)
    if known is not None:
        return _decode(raw, known)
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:
        return _guessed(raw)


def _known(label: str | None) -> str | None:
    """The encoding of a label; only those of the web: Python's codecs also unpack archives."""
    from resiliparse.parse.encoding import map_encoding_to_html5

    if not label:
        return None
    name = label.strip().lower()
    if name in _REPLACEMENT:
        raise _Refused(name)
    if name in (_USER_DEFINED, "x-mac-cyrillic"):
        return name
    found = map_encoding_to_html5(name, fallback_utf8=False)
    return None if found is None else str(found).lower()


def _declared_inside(raw: bytes) -> str | None:
    """The encoding that the first meta element with a known one declares, or the XML declaration."""
    for match in _DECLARATIONS.finditer(raw):
        if match.group(2) is None:
            continue
        charset = _META_CHARSET.search(match.group(2))
        known = _known(charset.group(1).decode("ascii", "replace")) if charset else None
        if known is not None:
            return _readable_as_ascii(known)
    xml = _XML_ENCODING.match(raw)
    known = _known(xml.group(1).decode("ascii", "replace")) if xml else None
    return None if known is None else _readable_as_ascii(known)


def _readable_as_ascii(known: str) -> str:
    """A page whose declaration could be read as ASCII is not UTF-16."""
    if known.startswith("utf-16"):
        return "utf-8"
    return "windows-1252" if known == _USER_DEFINED else known


def _guessed(raw: bytes) -> tuple[str, bool]:
    """What uchardet takes the bytes for, if it fits all of them; else what browsers take in the West."""
    from resiliparse.parse.encoding import detect_encoding

    found = str(detect_encoding(raw)).lower()
    # Only what a page says of itself is refused.
    guess = None if found in _REPLACEMENT else _known(found)
    if guess is not None and not guess.startswith("utf-"):
        text, was_replaced = _decode(raw, guess)
        if not was_replaced and not _HAS_C1.search(text):
            return text, False
    return _decode(raw, "windows-1252")


_HAS_C1 = re.compile("[\x80-\x9f]")


def _decode(raw: bytes, encoding: str) -> tuple[str, bool]:
    if encoding == _USER_DEFINED:
        # Encoding Standard, 14.5: the upper half stands for private characters.
        return "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in raw), False
    codec = _CODECS.get(encoding, encoding)
    try:
        return raw.decode(codec), False
    except UnicodeDecodeError:
        text = raw.decode(codec, _REPLACE)
        return text, "\ufffd" in text
    except LookupError:
        return _decode(raw, "windows-1252")


_REPLACE = "ringlake.web"

_C1_PAGES = re.compile(r"(?:cp|windows-?)(?:125[0-8]|874)|charmap", re.I)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Bytes that Python's codec has no character for, as the Encoding Standard's indexes have them."""
    assert isinstance(error, UnicodeDecodeError)
    byte = error.object[error.start]
    if _C1_PAGES.fullmatch(error.encoding) and 0x80 <= byte <= 0x9F:
        return chr(byte), error.start + 1
    if error.encoding == "gb18030" and byte == 0x80:
        return "€", error.start + 1
    if error.encoding == "euc_jp" and (found := _row_of_vendors(error.object[error.start : error.start + 2])):
        return found, error.start + 2
    return "\ufffd", max(error.end, error.start + 1)


def _row_of_vendors(pair: bytes) -> str | None:
    """A character of the rows that NEC and IBM added to JIS X 0208, which cp932 has."""
    if len(pair) < 2 or min(pair) < 0xA1 or max(pair) > 0xFE:
        return None
    row, cell = pair[0] - 0xA1, pair[1] - 0xA1
    lead = (row >> 1) + (0x81 if row < 62 else 0xC1)
    trail = cell + (0x9F if row & 1 else 0x40 if cell < 63 else 0x41)
    try:
        return bytes((lead, trail)).decode("cp932")
    except UnicodeDecodeError:
        return None


codecs.register_error(_REPLACE, _replace)
