"""What message catalogues have in common: charsets, and which pairs a message with its translation gives.

A message with a plural gives two pairs: the singular with the first form, the plural with the last. A
language with one form for all numbers, such as Chinese, has the same form in both; where that has a
placeholder the singular lacks ("1 file", "%d files"), the singular is left out, as all pairs are whose
placeholders differ.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.record import Document, Fault, FileFault, Skipped, excerpt, repair, utf8_length
from pipelines.text.blank import is_blank

# The names that the GNU gettext manual lists as portable (6.2, "Filling in the Header Entry"), as far as
# Python has them: its other codecs also unpack archives and escapes.
_CODECS = frozenset(
    codecs.lookup(name).name
    for name in (
        *("ascii", "utf-8", "gb2312", "gbk", "gb18030", "big5", "big5hkscs", "euc-jp", "euc-kr", "shift_jis"),
        *(f"iso-8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15)),
        *(
            "johab",
            "tis-620",
            "koi8-r",
            "koi8-u",
            "koi8-t",
            "cp850",
            "cp866",
            "cp874",
            "cp932",
            "cp949",
            "cp950",
        ),
        *(f"cp{page}" for page in range(1250, 1259)),
    )
)
_TEMPLATE = "CHARSET"
"""What stands in the header of a template until a translator replaces it."""

_CHARSET = re.compile(rb"Content-Type:[^\n]{0,80}charset=([\w.:-]{1,40})")
_LANGUAGE = re.compile(rb"(?:^|[\n\"])Language:[ \t]{0,9}([\w@.-]{1,40})")

# printf's, Objective-C's, Python's by name, and those of str.format. A space is no flag here: "50% of".
_PLACEHOLDER = re.compile(
    r"%%"
    r"|%(?:\d{1,3}\$)?(?:\([^()%\s]{1,100}\))?[-+#0']{0,5}(?:\*|\d{1,3})?(?:\.(?:\*|\d{1,3}))?"
    r"(?:hh|h|ll|l|L|q|j|z|t)?[diouxXeEfFgGaAcsrp@]"
    r"|\{[^{}\s]{0,100}\}"
)


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a catalogue says.

    Attributes:
        codec: Name of the codec of its bytes.
        language: The translations' language; None if it does not say.
    """

    codec: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its translation.

    Attributes:
        offset: Its place in the file.
        line: Its first line, where the format has lines.
        context: What tells it from equal messages elsewhere; None if nothing does.
        singular: The message.
        plural: Its plural; None without one.
        forms: The translation, one for each plural form of the language; one without a plural.
    """

    offset: int
    line: int | None
    context: str | None
    singular: str
    plural: str | None
    forms: Sequence[str]


def read_header(raw: bytes) -> Header:
    """What a header says, given as the bytes of its entry.

    Raises:
        FileFault: 'bad_encoding': its charset is none that catalogues have.
    """
    charset, language = _CHARSET.search(raw), _LANGUAGE.search(raw)
    name = charset[1].decode("ascii", "replace") if charset else _TEMPLATE
    codec = "utf-8"
    if name != _TEMPLATE:
        try:
            codec = codecs.lookup(name).name
        except LookupError:
            codec = ""
        if codec not in _CODECS:
            detail = (
                f"the header declares the charset {name!r}, which catalogues do not have; convert it to UTF-8"
            )
            raise FileFault(Fault(0, "bad_encoding", detail, excerpt(raw[:1000])))
    return Header(codec, language[1].decode("ascii", "replace") if language else None)


def decoded(raw: bytes, header: Header, offset: int, line: int | None) -> str | Fault:
    """The text of bytes of a catalogue, or a fault at its entry's place."""
    try:
        return raw.decode(header.codec)
    except UnicodeDecodeError as error:
        bad = raw[error.start : error.end][:8].hex(" ")
        detail = f"the bytes {bad} are not {header.codec}, which the header declares"
        reason = "not_utf8" if header.codec == "utf-8" else "bad_encoding"
        return Fault(offset, reason, detail, excerpt(raw[max(0, error.start - 40) :][:1000]), line)


def pairs(message: Message, header: Header, config: IngestConfig) -> Iterator[Document | Fault | Skipped]:
    """The pairs of a message, and what of it is none."""
    metadata = {"language": header.language} if header.language else {}
    if message.context is not None:
        metadata["context"] = repair(message.context)[0]
    sides = [(message.singular, message.forms[0])]
    if message.plural is not None:
        plural = (message.plural, message.forms[-1])
        sides = [plural] if message.plural == message.singular else [*sides, plural]
    for given_text, given_target in sides:
        text, one = repair(given_text)
        target, other = repair(given_target)
        skipped = _not_a_pair(text, target)
        fault = _fault(message, {"text": text, "target": target, **metadata}, config)
        if skipped is not None:
            yield Skipped(skipped)
        elif fault is not None:
            yield fault
        else:
            yield Document(message.offset, None, "pair", text, one or other, None, target, metadata)


def placeholders(text: str) -> Counter[str]:
    """The placeholders of a message, each with how often it occurs.

    Example:
        >>> sorted(placeholders("%(name)s has %d of {total}, 100%% of it"))
        ['%(name)s', '%d', '{total}']
    """
    found = Counter(_PLACEHOLDER.findall(text)) if "%" in text or "{" in text else Counter[str]()
    found.pop("%%", None)
    return found


def _not_a_pair(text: str, target: str) -> str | None:
    if is_blank(text) or is_blank(target) or text == target:
        return "untranslated"
    return "placeholders differ" if placeholders(text) != placeholders(target) else None


def _fault(message: Message, texts: dict[str, str], config: IngestConfig) -> Fault | None:
    for name, text in texts.items():
        size = utf8_length(text)
        if size > config.max_document_bytes:
            head = text[:200].encode()
            fault = too_large(
                name, message.offset, size, config.max_document_bytes, "max_document_bytes", head
            )
            return Fault(fault.offset, fault.reason, fault.detail, fault.excerpt, message.line)
    return None
