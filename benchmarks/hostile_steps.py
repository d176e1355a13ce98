"""Every step of ingest, cleaning and what comes after, as a function of one text."""

from __future__ import annotations

import contextlib
import io
import json
import struct
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from conf.clean import CleanConfig, PrivacyConfig
from conf.decontaminate import DecontaminateConfig
from conf.ingest import IngestConfig
from pipelines.clean.judge import Judge
from pipelines.clean.language import identify
from pipelines.clean.lists import LineList, UrlBlocklist, WordBlocklist
from pipelines.clean.lists.urls import split_url
from pipelines.clean.privacy import redactor
from pipelines.clean.profiles import PROFILES
from pipelines.clean.resources import Resources
from pipelines.clean.rules import RULES, STEPS
from pipelines.clean.stats import BatchStats
from pipelines.clean.words import SPLITTERS, split
from pipelines.dedup.minhash import MinHash, similarities
from pipelines.files.record import FileFault
from pipelines.ingest.readers import READERS
from pipelines.repeats.units import excerpts_of, units_of, without
from pipelines.text.characters import character_classes
from pipelines.text.code_points import encode
from pipelines.text.lowered import lowered
from pipelines.text.repair import repair, repair_all
from pipelines.text.shingles import ngram_hashes, text_hashes

Step = Callable[[str], object]

PYTHON_STEPS = ("read python", "read topics")
"""Steps that get Python source instead of text."""


def _array(text: str) -> pa.LargeStringArray:
    return pa.array([text], pa.large_string())


def _reader(name: str, source: str, before: bytes = b"", **config: Any) -> Step:
    settings = IngestConfig(**config)

    def run(text: str) -> None:
        raw = before % len(text.encode()) + text.encode() if b"%d" in before else before + text.encode()
        with contextlib.suppress(FileFault):
            # Nothing is held: a stage hands its rows on.
            deque(READERS[name].read(io.BytesIO(raw), source, settings), maxlen=0)

    return run


def _chat(text: str) -> None:
    turns = [{"role": role, "content": text} for role in ("user", "assistant")]
    line = json.dumps({"messages": turns}).encode()
    deque(READERS["chat"].read(io.BytesIO(line), "a.jsonl", IngestConfig()), maxlen=0)


def _squad(text: str) -> None:
    answers = [{"text": text[number::2], "answer_start": 0} for number in (0, 1)]
    asked = [{"id": number, "question": text, "answers": [answer]} for number, answer in enumerate(answers)]
    content = {"data": [{"title": text, "paragraphs": [{"context": text, "qas": asked}]}]}
    deque(READERS["squad"].read(io.BytesIO(json.dumps(content).encode()), "a.json", IngestConfig()), maxlen=0)


def _mo(text: str) -> None:
    raw = text.encode()
    header = struct.pack("<7I", 0x950412DE, 0, 2, 28, 44, 0, 0)
    places = [(len(raw), 60), (len(raw) // 2, 60 + len(raw)), (len(raw), 60 + len(raw)), (len(raw), 60)]
    table = b"".join(struct.pack("<2I", *place) for place in places)
    config = IngestConfig(max_source_bytes=2**30)
    with contextlib.suppress(FileFault):
        deque(READERS["mo"].read(io.BytesIO(header + table + 2 * raw), "a.mo", config), maxlen=0)


def _po(string: bytes) -> None:
    content = b"msgid " + string + b"\nmsgstr " + string + b"\n"
    config = IngestConfig(max_source_bytes=2**30)
    deque(READERS["po"].read(io.BytesIO(content), "a.po", config), maxlen=0)


_WET = b"WARC/1.1\r\nWARC-Type: conversion\r\nContent-Length: %d\r\n\r\n"


def _response(text: str) -> None:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + text.encode()
    head = b"WARC/1.1\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n" % len(http)
    raw = io.BytesIO(head + http + b"\r\n\r\n")
    deque(READERS["warc"].read(raw, "a.warc", IngestConfig(extractor="resiliparse")), maxlen=0)


def _http_headers(text: str) -> None:
    http = b"HTTP/1.1 200 OK\r\n" + text.encode() + b"\r\nContent-Type: text/html\r\n\r\n<p>a"
    head = b"WARC/1.1\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n" % len(http)
    deque(READERS["warc"].read(io.BytesIO(head + http + b"\r\n\r\n"), "a.warc", IngestConfig()), maxlen=0)


@cache
def _resources() -> Resources:
    words = ["bad", "very bad", "the of and", "坏", "中文字", "a", "a a a", "ab cd ab"]
    return Resources(
        urls=UrlBlocklist(["example.com", "example.org/a/b/c", "com/a?b&c"]),
        words={"all": WordBlocklist(words)},
        boilerplate=LineList(["share this*", "line 1", "home*"]),
    )


def _stats(text: str) -> BatchStats:
    array = _array(text)
    return BatchStats(array, urls=pa.array([text]), resources=_resources())


def _rule(name: str) -> Step:
    return lambda text: RULES[name].measure(_stats(text))


def _rules(text: str) -> None:
    stats = _stats(text)
    for rule in RULES.values():
        rule.measure(stats)


def _apply(name: str) -> Step:
    return lambda text: STEPS[name].apply(_stats(text))


def _splitter(name: str) -> Step:
    return lambda text: split(_stats(text).characters, name)


def _part(name: str) -> Step:
    return lambda text: getattr(_stats(text), name)


def _privacy() -> PrivacyConfig:
    return PrivacyConfig(
        phone_regions=("US", "GB", "DE", "FR", "ES", "IT", "CN", "IN"), national_ids=_national_ids()
    )


def _national_ids() -> tuple[str, ...]:
    return ("us.ssn", "de.idnr", "gb.nhs", "fr.nir", "es.dni", "it.codicefiscale", "cn.ric", "in_.aadhaar")


def _detector(number: int) -> Step:
    def run(text: str) -> None:
        deque(redactor._detectors(_privacy())[number].find(text), maxlen=0)

    return run


def _judge(profile: str) -> Step:
    def run(text: str) -> None:
        judge = Judge(CleanConfig(profile=profile, privacy=_privacy()), _resources())
        list(judge.decide(_array(text), pa.array([text]), pa.array([text])))

    return run


def _minhash(unit: Any) -> Step:
    return lambda text: MinHash(5, 4, 2, 1, unit).keys(_array(text))


def _similar(unit: Any) -> Step:
    return lambda text: similarities(_array(text), _array(text[1:] + "b"), 5, unit)


def _units(by_paragraph: bool) -> Step:
    def run(text: str) -> None:
        array = _array(text)
        units = units_of(array, by_paragraph)
        drop = np.zeros(len(units.hashes), np.bool_)
        drop[::2] = True
        without(array, drop, by_paragraph)
        excerpts_of(array, np.arange(len(drop))[:1000], by_paragraph, 200)

    return run


def _decontaminate(text: str) -> None:
    from pipelines.decontaminate import index as module

    config = DecontaminateConfig()
    data, offsets = lowered(_array(text))
    hashes, _ = ngram_hashes(data, offsets, character_classes(), config.ngram)
    owners = np.zeros(len(hashes), np.int64)
    index = module._joined(
        ("a",), pa.array(["1"]), np.zeros(1, np.int32), [config.ngram], [(hashes, owners)], True
    )
    module.search(_array(text), index, config)


def steps() -> dict[str, Step]:
    """Every step by its name."""
    found: dict[str, Step] = {
        "read text lines": _reader("text", "a.txt"),
        "read text paragraphs": _reader("text", "a.txt", text_unit="paragraph"),
        "read text file": _reader("text", "a.txt", text_unit="file"),
        "read jsonl": _reader("jsonl", "a.jsonl", url_field="url", metadata_fields=("n",)),
        "read csv": _reader("csv", "a.csv"),
        "read csv with columns": _reader("csv", "a.csv", header=False, columns=("text", "b")),
        "read csv without quotes": _reader("csv", "a.csv", quoting="none"),
        "read tsv": _reader("tsv", "a.tsv"),
        "read chat": _reader("chat", "a.jsonl"),
        "read chat messages": _chat,
        "read squad": _reader("squad", "a.json"),
        "read squad context": _squad,
        "read mo": _mo,
        "read po": _reader("po", "a.po"),
        "read po string": lambda text: _po(json.dumps(text, ensure_ascii=False).encode()),
        "read html trafilatura": _reader("html", "a.html"),
        "read html resiliparse": _reader("html", "a.html", extractor="resiliparse"),
        "read warc": _reader("warc", "a.warc"),
        "read warc response": _response,
        "read warc http headers": _http_headers,
        "read wet": _reader("wet", "a.wet", _WET),
        "read page": _reader("page", "a.md"),
        "read metadata": _reader("metadata", "METADATA", b"Name: a\nDescription: "),
        "read metadata body": _reader("metadata", "METADATA", b"Name: a\n\n"),
        "read metadata header": _reader("metadata", "METADATA"),
        "read python": _reader("python", "a.py"),
        "read topics": _reader("python", "pydoc_data/topics.py"),
        "repair": repair,
        "repair all": lambda text: repair_all(_array(text)),
        "language": lambda text: identify(_array(text)),
        "encode": lambda text: encode(_stats(text).characters.codes, _stats(text).characters.bounds),
    }
    for name in SPLITTERS:
        found[f"split {name}"] = _splitter(name)
    for name in ("word_counts", "character_counts", "lines", "repetition", "page_lines", "prose"):
        found[f"stats {name}"] = _part(name)
    found["all rules"] = _rules
    for name in RULES:
        found[f"rule {name}"] = _rule(name)
    for name in STEPS:
        found[f"step {name}"] = _apply(name)
    for number, detector in enumerate(redactor._detectors(_privacy())):
        found[f"privacy {type(detector).__name__}"] = _detector(number)
    found["privacy"] = lambda text: redactor.Redactor(_privacy()).redact(text)
    for name in PROFILES:
        found[f"profile {name}"] = _judge(name)
    found |= {
        "block-list of addresses": lambda text: text in _resources().urls,
        "address": split_url,
        "block-list of words": lambda text: _resources().blocked_words(text, "en"),
        "repeats by line": _units(by_paragraph=False),
        "repeats by paragraph": _units(by_paragraph=True),
        "hash of words": lambda text: text_hashes(*lowered(_array(text)), character_classes()),
        "signature of words": _minhash("words"),
        "signature of characters": _minhash("characters"),
        "similarity of words": _similar("words"),
        "similarity of characters": _similar("characters"),
        "decontamination": _decontaminate,
    }
    return found
