"""Python source files as trees: decoded by their own declaration, parsed, never imported or run."""

from __future__ import annotations

import ast
import codecs
import gc
import re
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from pipelines.files.lines import BOM
from pipelines.files.record import Fault, FileFault, excerpt
from pipelines.text.normal_form import has_long_run

MAX_TOKENS = 400_000
"""Words, numbers, strings and marks of a file. A tree takes up to 1.6 kB for each. The 150 largest modules of
this project's own environment have 197,107 at most."""

_MAX_FORMATTED = 2 * 10**9
"""Fields of an f-string times its length, summed up over a file: Python up to 3.11 looks for each field in
all of its string, which takes 0.7 s here. A page of HTML of 20 kB with 50 fields comes to a million."""

_MAX_MARKS = 1_000
"""Python normalises names in quadratic time: 8 ms for one of a thousand marks."""

# Smaller files cannot have what the limits are for: they are parsed without being looked through.
_SMALL_CHARS = 2**18
_FEW_FIELDS = _MAX_FORMATTED // 2

# One that nothing closes reaches as far as Python looks for its end.
_LONG_STRING = r"Q{3}(?:[^Q\\]++|\\.|Q(?!Q{2}))*+(?:Q{3}|\\?\Z)"
_SHORT_STRING = r"Q(?:[^Q\\\n]++|\\.)*+(?:Q|(?=\n)|\\?\Z)"
_STRING = "|".join(form.replace("Q", quote) for form in (_LONG_STRING, _SHORT_STRING) for quote in "\"'")
_TOKEN = re.compile(rf"#[^\r\n]*+|(\w*+)({_STRING})|\w++|[^\w\s]", re.DOTALL)


class _Place:
    """How far a line was encoded, so that its many nodes do not encode it from its beginning each."""

    def __init__(self) -> None:
        self.begin(-1, b"", None)

    def begin(self, line: int, utf8: bytes, encoder: codecs.IncrementalEncoder | None) -> None:
        """Goes to the beginning of a line."""
        self.line = line
        self.column = 0
        self._utf8 = utf8
        self._encoder = encoder
        self._num_bytes = 0

    def bytes_before(self, column: int) -> int:
        """Bytes of the line in the file's encoding that lie before a column in UTF-8."""
        assert self._encoder is not None
        passed = self._utf8[self.column : column].decode("utf-8", "replace")
        self._num_bytes += len(self._encoder.encode(passed))
        self.column = column
        return self._num_bytes


@dataclass(frozen=True)
class PythonSource:
    """One parsed file.

    Attributes:
        raw: Its bytes.
        encoding: As its byte order mark or its coding cookie (PEP 263) says; UTF-8 without either.
        tree: The module.
    """

    raw: bytes
    encoding: str
    tree: ast.Module

    def offset(self, node: ast.expr) -> int:
        """Byte offset of a node in the file."""
        line = node.lineno - 1
        start = self._line_starts[line]
        if self.encoding.startswith("utf-8"):
            return start + node.col_offset + (len(BOM) if line == 0 and self.raw.startswith(BOM) else 0)
        # ast counts columns in UTF-8, whatever the file's own encoding.
        if self._place.line != line or self._place.column > node.col_offset:
            decoded = self.raw[start : self._line_starts[line + 1]].decode(self.encoding, "replace")
            encoder = codecs.getincrementalencoder(self.encoding)("replace")
            self._place.begin(line, decoded.encode(), encoder)
        return start + self._place.bytes_before(node.col_offset)

    @cached_property
    def _place(self) -> _Place:
        return _Place()

    @cached_property
    def _line_starts(self) -> list[int]:
        # bytes.splitlines parts at LF, CR LF and CR and nowhere else, as Python's own tokenizer does.
        return list(accumulate(map(len, self.raw.splitlines(keepends=True)), initial=0))


def parse(raw: bytes) -> PythonSource:
    """The tree of a file's bytes.

    Raises:
        FileFault: 'bad_encoding' for a coding cookie that Python does not know; 'not_utf8' for bytes that
            the encoding does not allow; 'bad_syntax' and 'too_deep' for what Python cannot parse; 'too_large'
            for what would take it too much time or memory.
    """
    encoding = _encoding(raw)
    text = _decode(raw, encoding)
    excess = _excess(text)
    if excess is not None:
        raise FileFault(Fault(0, "too_large", excess, excerpt(raw[:200])))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        raise FileFault(_syntax_fault(raw, error)) from None
    except (RecursionError, MemoryError):
        raise FileFault(
            Fault(0, "too_deep", "it is nested too deeply to be parsed", excerpt(raw[:200]))
        ) from None
    except ValueError as error:
        # NUL characters, integers of thousands of digits, surrogates from an escaping codec.
        detail = f"Python cannot parse it: {error}"
        raise FileFault(Fault(0, "bad_syntax", detail, excerpt(raw[:200]))) from None
    return PythonSource(raw, encoding, tree)


def _excess(text: str) -> str | None:
    """What of a text would take the parser time or memory out of proportion to its length."""
    # Names are normalised; they are not told from comments and strings here.
    if has_long_run(text, _MAX_MARKS + 1, "NFKD"):
        return f"it has more than {_MAX_MARKS:,} combining marks in a row"
    if len(text) <= _SMALL_CHARS and text.count("{") * len(text) <= _FEW_FIELDS:
        return None
    num_tokens = formatted = 0
    for token in _TOKEN.finditer(text):
        num_tokens += 1
        prefix, string = token.groups()
        if prefix and "f" in prefix.lower():
            fields = string.count("{")
            num_tokens += 2 * fields
            formatted += fields * len(string)
    if num_tokens > MAX_TOKENS:
        return f"it has {num_tokens:,} words and marks, the limit is {MAX_TOKENS:,}; split the file"
    if formatted > _MAX_FORMATTED:
        return f"its f-strings come to {formatted:,} fields x characters, the limit is {_MAX_FORMATTED:,}"
    return None


def _encoding(raw: bytes) -> str:
    # Only the first two lines can declare it; lines may also end in CR, which io.BytesIO does not know.
    head = raw.splitlines(keepends=True)[:2]
    lines = iter(head)
    try:
        return tokenize.detect_encoding(lambda: next(lines, b""))[0]
    except SyntaxError as error:
        # detect_encoding reports both an unknown cookie and a first line that is not UTF-8.
        try:
            b"".join(head).decode("utf-8")
        except UnicodeDecodeError:
            return "utf-8"
        detail = f"its coding cookie cannot be used: {error.msg}"
        raise FileFault(Fault(0, "bad_encoding", detail, excerpt(raw[:200]), 1)) from None


def _decode(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        start = error.start + (len(BOM) if encoding == "utf-8-sig" else 0)
        bad = raw[start : start + max(1, error.end - error.start)].hex(" ")
        reason = "not_utf8" if encoding.startswith("utf-8") else "bad_encoding"
        detail = f"the bytes {bad} are not {encoding} ({error.reason})"
        line = raw.count(b"\n", 0, start) + 1
        shown = excerpt(raw[max(0, start - 40) :][:200])
        raise FileFault(Fault(start, reason, detail, shown, line)) from None
    except (LookupError, UnicodeError) as error:
        # A cookie may name a codec that is no text encoding, such as hex or idna.
        detail = f"its coding cookie cannot be used: {error}"
        raise FileFault(Fault(0, "bad_encoding", detail, excerpt(raw[:200]), 1)) from None


def _syntax_fault(raw: bytes, error: SyntaxError) -> Fault:
    number = error.lineno or 1
    lines = raw.splitlines(keepends=True)
    offset = sum(map(len, lines[: number - 1]))
    shown = excerpt(lines[number - 1]) if 0 < number <= len(lines) else ""
    return Fault(offset, "bad_syntax", f"Python cannot parse it: {error.msg}", shown, number)


@contextmanager
def without_collector() -> Iterator[None]:
    """No garbage collection inside; what is there has no cycles or is freed by leaving."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
