"""A key that names a file or a folder stands for its content: the same path with another one reruns."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conf import load
from pipelines.console.console import Console
from pipelines.errors import InputError
from pipelines.lake import Lake
from pipelines.run.binding import binding_of
from pipelines.run.context import Context
from pipelines.stages import STAGES
from tests.training.tiny import make_tokenizer


def fingerprint(stage: str, lake: Path, *overrides: str) -> str:
    config = load(overrides=[f"lake={lake}", *overrides])
    chosen = next(item for item in STAGES if item.name == stage)
    return binding_of(chosen).besides(Context(config, Lake.at(lake), Console())).fingerprint


def model_folder(place: Path) -> Path:
    place.mkdir()
    (place / "config.json").write_text('{"model_type": "llama"}')
    (place / "model.safetensors").write_bytes(b"weights one")
    return place


def one_file(content: str) -> Callable[[Path], Path]:
    def make(place: Path) -> Path:
        place.write_text(content)
        return place

    return make


NAMED: dict[str, tuple[str, str, Callable[[Path], Path], str]] = {
    "base model": ("train", "model.pretrained={}", model_folder, "model.safetensors"),
    "settings of the base model": ("train", "model.pretrained={}", model_folder, "config.json"),
    "vectors": ("train", "model.embeddings={}", one_file("vectors"), ""),
    "tokenizer": ("tokenize", "tokenize.tokenizer={}", make_tokenizer, "tokenizer.json"),
    "its settings": ("tokenize", "tokenize.tokenizer={}", make_tokenizer, "tokenizer_config.json"),
    "tokenizer as a file": ("tokenize", "tokenize.tokenizer={}", one_file('{"a": 1}'), ""),
    "evaluation set": ("dedup", "decontaminate.sets=[{}]", one_file("a question of the set"), ""),
    "addresses": ("clean", "clean.url_blocklist=[{}]", one_file("example.org"), ""),
    "words": ("clean", "clean.word_blocklist={{en: [{}]}}", one_file("word"), ""),
    "boilerplate": (
        "clean",
        "clean={{boilerplate: [{}], rules: [boilerplate.lines, documentation]}}",
        one_file("Read more"),
        "",
    ),
    "input": ("ingest", "ingest={{format: text, inputs: [{}]}}", one_file("a text"), ""),
}


@pytest.mark.parametrize("kind", NAMED)
def test_another_content_at_the_same_path_is_another_key(kind: str, tmp_path: Path) -> None:
    stage, key, make, name = NAMED[kind]
    place = make(tmp_path / "named.txt")
    override = key.format(place)
    before = fingerprint(stage, tmp_path / "lake", override)
    assert before == fingerprint(stage, tmp_path / "lake", override)
    file = place / name if name else place
    status = file.stat()
    content = file.read_bytes()
    # The same size, and where the content is looked at also the same time of change.
    file.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    if stage != "ingest":
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint(stage, tmp_path / "lake", override) != before


@pytest.mark.parametrize(
    ("stage", "override"),
    [
        ("train", "model.pretrained=/nowhere/model"),
        ("train", "model.embeddings=/nowhere/vectors.safetensors"),
        ("tokenize", "tokenize.tokenizer=/nowhere/tokenizer.json"),
    ],
)
def test_what_is_gone_is_named_with_its_key(stage: str, override: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=override.partition("=")[0].replace(".", r"\.")):
        fingerprint(stage, tmp_path / "lake", override)


def test_no_name_no_fingerprint(tmp_path: Path) -> None:
    found: dict[str, Any] = {stage: fingerprint(stage, tmp_path) for stage in ("tokenize", "train", "dedup")}
    assert json.dumps(found) == json.dumps({"tokenize": "", "train": "", "dedup": ""})
