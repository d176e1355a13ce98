"""What each part of cleaning costs: MB of UTF-8 a second of one core's CPU time, all values of all rules.

python -m benchmarks clean_kernels                    documentation of this Python, 8 MB of it
python -m benchmarks clean_kernels --input texts.jsonl --megabytes 32
python -m benchmarks clean_kernels --json

CPU time is measured, so that other processes disturb little; each part runs three times, the fastest counts.
No rule is left out because another one failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from benchmarks import corpus
from benchmarks.machine import describe
from conf.clean import CleanConfig, PrivacyConfig
from pipelines.clean.judge import CHUNK_BYTES, Judge
from pipelines.clean.language import identify
from pipelines.clean.privacy.redactor import Redactor
from pipelines.clean.profiles import PROFILES
from pipelines.clean.rules import RULES
from pipelines.clean.stats import BatchStats
from pipelines.text.repair import repair_all

PAPERS = ("gopher", "c4", "c4-t5", "fineweb-c4", "fineweb")
"""Prefixes of the rules of the full chain."""

PARTS = (
    "characters",
    "words",
    "word_counts",
    "character_counts",
    "lines",
    "repetition",
    "page_lines",
    "prose",
)
"""What rules share, as `BatchStats` names it; each is timed with what it needs already there."""

REGIONS_AND_IDS = PrivacyConfig(phone_regions=("US", "GB", "DE"), national_ids=("us.ssn", "gb.nhs", "es.nif"))
"""Privacy with the settings that docs/corpus.md measures on the documentation."""

_NEEDS = {"word_counts": "words", "repetition": "words", "prose": "lines"}

ROUNDS = 3


def every_rule(stats: BatchStats) -> None:
    """Measures all rules of the full chain, each on every text."""
    for name, rule in RULES.items():
        if name.split(".")[0] in PAPERS:
            rule.measure(stats)


def measure(texts: list[str]) -> dict[str, float]:
    """MB/s of every part, by its name."""
    array = pa.array(texts, pa.large_string())
    megabytes = corpus.num_bytes(texts) / 1e6
    per_chunk = max(1, int(len(texts) * CHUNK_BYTES / 1e6 / max(megabytes, 1e-6)))
    chunks = [array.slice(start, per_chunk) for start in range(0, len(array), per_chunk)]

    def rate(prepare: Callable[[pa.LargeStringArray], object], run: Callable[..., object]) -> float:
        fastest = float("inf")
        for _ in range(ROUNDS):
            prepared = [prepare(chunk) for chunk in chunks]
            start = time.process_time()
            for one in prepared:
                run(one)
            fastest = min(fastest, time.process_time() - start)
        return megabytes / fastest

    def with_needs(part: str) -> Callable[[pa.LargeStringArray], BatchStats]:
        def prepare(chunk: pa.LargeStringArray) -> BatchStats:
            stats = BatchStats(chunk)
            if part != "characters":
                getattr(stats, _NEEDS.get(part, "characters"))
            return stats

        return prepare

    found = {"repair": rate(lambda chunk: chunk, repair_all), "language": rate(lambda chunk: chunk, identify)}
    for part in PARTS:
        found[part] = rate(with_needs(part), lambda stats, part=part: getattr(stats, part))
    found["all rules"] = rate(BatchStats, every_rule)
    found["privacy"] = rate(lambda chunk: chunk, Redactor().redact_all)
    found["privacy, regions and ids"] = rate(lambda chunk: chunk, Redactor(REGIONS_AND_IDS).redact_all)
    for profile in PROFILES:
        decide = Judge(CleanConfig(profile=profile)).decide
        # Decisions are made as they are asked for.
        found[f"profile {profile}"] = rate(
            lambda chunk: chunk, lambda chunk, decide=decide: deque(decide(chunk), maxlen=0)
        )
    return found


def read_jsonl(path: Path, num_bytes: int) -> list[str]:
    """The texts of a file of JSON Lines, up to about so many bytes."""
    texts: list[str] = []
    total = 0
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            texts.append(json.loads(line)["text"])
            total += len(line)
            if total >= num_bytes:
                break
    return texts


def main(argv: list[str]) -> int:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(prog="benchmarks clean_kernels", description=__doc__)
    parser.add_argument("--input", type=Path, help="JSON Lines with the field text")
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.input:
        texts = read_jsonl(options.input, int(options.megabytes * 1e6))
    else:
        with tempfile.TemporaryDirectory(prefix="ringlake-clean-") as folder:
            texts = corpus.texts(Path(folder), options.megabytes)
    measure(texts[:10])  # compiles
    found = measure(texts)
    if options.json:
        sys.stdout.write(json.dumps({"machine": describe(), "megabytes_per_second": found}) + "\n")
        return 0
    size = corpus.num_bytes(texts) / 1e6
    sys.stdout.write(f"{describe()}\n{len(texts):,} texts, {size:.1f} MB; MB/s of CPU time\n")
    for name, value in found.items():
        sys.stdout.write(f"{name:28} {value:8.1f}\n")
    return 0
