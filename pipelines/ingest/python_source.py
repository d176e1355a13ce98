"""Python source files as trees: decoded by their own declaration, parsed, never imported or run."""

from __future__ import annotations

import ast
import gc
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from pipelines.ingest.lines import BOM
from pipelines.ingest.record import Fault, FileFault, excerpt


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
        end = self._line_starts[line + 1]
        decoded = self.raw[start:end].decode(self.encoding, "replace")
        before = decoded.encode()[: node.col_offset].decode("utf-8", "replace")
        return start + len(before.encode(self.encoding, "replace"))

    @cached_property
    def _line_starts(self) -> list[int]:
        # bytes.splitlines parts at LF, CR LF and CR and nowhere else, as Python's own tokenizer does.
        return list(accumulate(map(len, self.raw.splitlines(keepends=True)), initial=0))


def parse(raw: bytes) -> PythonSource:
    """The tree of a file's bytes.

    Raises:
        FileFault: 'bad_encoding' for a coding cookie that Python does not know; 'not_utf8' for bytes that
            the encoding does not allow; 'bad_syntax' and 'too_deep' for what Python cannot parse.
    """
    encoding = _encoding(raw)
    text = _decode(raw, encoding)
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
