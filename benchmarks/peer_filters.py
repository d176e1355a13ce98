"""datatrove's quality filters on one core, in an environment of their own: python peer_filters.py LINES.jsonl

Nothing of ringlake is imported. Decisions are with the published thresholds, where a filter ends at the first
value that fails; what is timed has thresholds that no document breaks, so that every value is computed.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

MARK = "@ "

_WORDS = re.compile(r"\w+|[^\w\s]")
_SENTENCES = re.compile(r"[^.!?]+[.!?]*")


class PlainWords:
    """A word splitter of one regex: the least that any splitter costs in Python."""

    def word_tokenize(self, text: str) -> list[str]:
        return _WORDS.findall(text)

    def sent_tokenize(self, text: str) -> list[str]:
        return [part for part in _SENTENCES.findall(text) if part.strip()]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in _SENTENCES.finditer(text)] or [(0, len(text))]


class OurWords:
    """ringlake's `word_or_punct` in the place of datatrove's words; sentences stay datatrove's own."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def word_tokenize(self, text: str) -> list[str]:
        return _WORDS.findall(text)

    def sent_tokenize(self, text: str) -> Any:
        return self._own.sent_tokenize(text)

    def span_tokenize(self, text: str) -> Any:
        return self._own.span_tokenize(text)


def published() -> dict[str, Any]:
    from datatrove.pipeline.filters.c4_filters import C4QualityFilter
    from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
    from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
    from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter

    return {
        "gopher quality": GopherQualityFilter(),
        "gopher repetition": GopherRepetitionFilter(),
        "c4": C4QualityFilter(filter_no_terminal_punct=False),
        "fineweb": FineWebQualityFilter(),
    }


def all_values() -> dict[str, Any]:
    from datatrove.pipeline.filters.c4_filters import C4QualityFilter
    from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
    from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
    from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter

    most = math.inf
    return {
        "gopher quality": GopherQualityFilter(-1, most, -1, most, most, most, most, -1, -1),
        "gopher repetition": GopherRepetitionFilter(
            most,
            most,
            most,
            most,
            tuple((n, most) for n in (2, 3, 4)),
            tuple((n, most) for n in range(5, 11)),
        ),
        "c4": C4QualityFilter(filter_no_terminal_punct=False, min_num_sentences=0),
        "fineweb": FineWebQualityFilter(
            line_punct_thr=-1, short_line_thr=most, char_duplicates_ratio=most, new_line_ratio=most
        ),
    }


def passes(single: Any, text: str) -> bool:
    from datatrove.data import Document

    try:
        found = single.filter(Document(text=text, id=""))
    except (ZeroDivisionError, IndexError, ValueError):
        return False  # a text without lines or words
    return found is True


def timed(filters: list[Any], texts: list[str]) -> tuple[float, float]:
    began, spent = time.perf_counter(), time.process_time()
    for text in texts:
        for single in filters:
            passes(single, text)
    return time.perf_counter() - began, time.process_time() - spent


def decisions(texts: list[str]) -> dict[str, list[int]]:
    """The texts that each filter keeps at the published thresholds, by their numbers."""
    return {
        name: [number for number, text in enumerate(texts) if passes(single, text)]
        for name, single in published().items()
    }


def main(path: str) -> None:
    from datatrove.utils import text as text_module
    from datatrove.utils import word_tokenizers
    from datatrove.utils.typeshelper import Languages

    texts = [json.loads(line)["text"] for line in Path(path).read_text(encoding="utf-8").splitlines()]
    load = word_tokenizers.load_word_tokenizer
    kept = decisions(texts)
    word_tokenizers.load_word_tokenizer = lambda _language: OurWords(load(Languages.english))
    text_module.split_into_parts.cache_clear()
    kept_given_our_words = decisions(texts)
    word_tokenizers.load_word_tokenizer = load
    seconds, cpu_seconds = {}, {}
    for variant in ("", "plain "):
        if variant:
            word_tokenizers.load_word_tokenizer = lambda _language: PlainWords()
        text_module.split_into_parts.cache_clear()
        filters = all_values()
        for name, of in {"chain": list(filters.values()), **{n: [f] for n, f in filters.items()}}.items():
            # The words of the last texts are kept; with one text the chain splits once, as datatrove does.
            text_module.split_into_parts.cache_clear()
            seconds[variant + name], cpu_seconds[variant + name] = timed(of, texts)
    value = {
        "kept": kept,
        "kept_given_our_words": kept_given_our_words,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "version": metadata.version("datatrove"),
    }
    sys.stdout.write(MARK + json.dumps(value) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
