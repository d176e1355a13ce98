"""Quality filters beside datatrove: every value of Gopher, C4 and FineWeb on each document.

python -m benchmarks filters                                 one and two cores; about 5 minutes
python -m benchmarks filters --megabytes 2 --peer-megabytes 0.3 --cores 1
python -m benchmarks filters --megabytes 40 --copies 4      160 MB: what starting costs no longer counts

ringlake is the clean stage in Spark on local[1] and local[2], with its transport to and from Python and its
language identification; datatrove is its own filters, called document by document on texts in memory, with
its own English word splitter (spaCy's rules, which need no model), and once more with a plain regex instead.
Each process is pinned to its cores. All thresholds are open, so that no value is spared; decisions are
compared with the published ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import corpus, peers, side_by_side
from conf.clean import CleanConfig, PrivacyConfig
from pipelines.clean.profiles import PROFILES
from pipelines.text.personal_data import KINDS
from schemas.documents import DOCUMENTS

PEER_SCRIPT = "peer_filters.py"

CHAIN = "chain"

GROUPS: dict[str, tuple[str, ...]] = {
    "gopher quality": PROFILES["gopher-quality"].items,
    "gopher repetition": PROFILES["gopher-repetition"].items,
    "c4": tuple(
        name
        for name in PROFILES["fineweb"].items
        if name.startswith("fineweb-c4.") and not name.endswith(".lines")
    ),
    "fineweb": PROFILES["fineweb-quality"].items,
}
"""ringlake's rules that stand for each filter of datatrove; C4 as in the FineWeb release."""


def main(argv: list[str]) -> int:
    """Measures both in turn and prints a table, or JSON."""
    parser = side_by_side.options_of("filters", __doc__, "folder for the text, used again if it is there")
    parser.add_argument("--megabytes", type=float, default=8, help="text that ringlake cleans")
    parser.add_argument(
        "--copies", type=int, default=1, help="how many there are of it, three of ten words replaced in each"
    )
    parser.add_argument("--peer-megabytes", type=float, default=1.5, help="the part that datatrove filters")
    return side_by_side.run("filters", parser, argv, measure, compare, text)


def compare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Rates and decisions of both."""
    base = corpus.texts(options.keep or folder, options.megabytes)
    part = list(first_bytes(base, options.peer_megabytes * 1e6))
    documents = [text for copy in corpus.copies(base, options.copies) for text in copy]
    corpus.write_parts(folder / "documents", DOCUMENTS, documents)
    corpus.write_parts(folder / "part", DOCUMENTS, part)
    own, other = {}, {}
    present = peers.python_of(corpus.ENVIRONMENT) is not None
    for cores in map(int, options.cores.split(",")):
        arguments = ["--keep", str(folder), "--rounds", str(options.rounds)]
        own[cores] = corpus.own("filters", arguments, cores)
        if present:
            other[cores] = of_datatrove(part, folder, cores)
    value: dict[str, Any] = {
        "documents": len(documents),
        "bytes": corpus.num_bytes(documents),
        "peer_documents": len(part),
        "peer_bytes": corpus.num_bytes(part),
        "rates": {str(cores): rates(own[cores], other.get(cores)) for cores in own},
        "missing": [] if present else [peers.missing("datatrove")],
    }
    if present:
        theirs = next(iter(other.values()))
        kept = next(iter(own.values()))["kept"]
        value["agreement"] = agreement(kept, theirs["kept"], len(part))
        value["agreement_given_words"] = agreement(kept, theirs["kept_given_our_words"], len(part))
        value["peer"] = theirs["version"]
    return value


def measure(cores: int, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of the clean stage with each group of rules and with all, and who passes."""
    from pipelines.clean.stage import clean

    spark = corpus.open_spark(cores, "filters")
    documents = corpus.frame(spark, DOCUMENTS, folder / "documents").cache()
    documents.count()
    everything = tuple(name for names in GROUPS.values() for name in names)
    found: dict[str, Any] = {"seconds": {}, "cpu_seconds": {}, "kept": {}}
    for name, rules in {CHAIN: everything, **GROUPS}.items():
        config = open_config(rules)
        corpus.run_stage(lambda config=config: clean(documents, config))  # type: ignore[misc]
        costs = [
            corpus.run_stage(lambda config=config: clean(documents, config))  # type: ignore[misc]
            for _ in range(rounds)
        ]
        found["seconds"][name] = statistics.median(cost.seconds for cost in costs)
        found["cpu_seconds"][name] = statistics.median(cost.cpu_seconds for cost in costs)
    part = corpus.frame(spark, DOCUMENTS, folder / "part")
    for name, rules in GROUPS.items():
        rows = clean(part, plain_config(rules)).tables["clean"].select("doc_id").collect()
        found["kept"][name] = sorted(int(row["doc_id"]) for row in rows)
    found["bytes"] = documents.selectExpr("sum(num_bytes)").collect()[0][0]
    spark.stop()
    return found


def plain_config(rules: Sequence[str], thresholds: Mapping[str, float] | None = None) -> CleanConfig:
    """Cleaning that only judges: the text stays as it was."""
    return CleanConfig(
        profile="none",
        rules=tuple(rules),
        repair=False,
        privacy=PrivacyConfig.model_validate(dict.fromkeys(KINDS, "off")),
        splitter="word_or_punct",
        thresholds=dict(thresholds or {}),
    )


def open_config(rules: Sequence[str]) -> CleanConfig:
    """The same, with thresholds that every document meets: all values are computed on each."""
    thresholds = {name: float("-inf") if name.endswith(".min") else float("inf") for name in rules}
    return plain_config(rules, thresholds)


def of_datatrove(part: Sequence[str], folder: Path, cores: int) -> dict[str, Any]:
    """What as many processes measure as there are cores, each on its share."""
    files = [
        corpus.write_lines(folder / f"lines-{cores}-{core}.jsonl", part[core::cores]) for core in range(cores)
    ]
    answers = corpus.of_peers(PEER_SCRIPT, [[str(file)] for file in files])
    kept = {
        kind: {
            name: sorted(
                core + cores * index for core, found in enumerate(answers) for index in found[kind][name]
            )
            for name in answers[0][kind]
        }
        for kind in ("kept", "kept_given_our_words")
    }
    spent = {
        kind: {
            name: (max if kind == "seconds" else sum)(found[kind][name] for found in answers)
            for name in answers[0][kind]
        }
        for kind in ("seconds", "cpu_seconds")
    }
    return {"bytes": corpus.num_bytes(part), "version": answers[0]["version"], **kept, **spent}


def rates(own: Mapping[str, Any], other: Mapping[str, Any] | None) -> dict[str, dict[str, float]]:
    """MB a second and a processor second for each filter, and ringlake's over those of datatrove."""
    found: dict[str, dict[str, float]] = {}
    for name in own["seconds"]:
        row = dict(corpus.Cost(own["seconds"][name], own["cpu_seconds"][name]).rates(own["bytes"]))
        for variant in ("", "plain ") if other else ():
            assert other is not None
            cost = corpus.Cost(other["seconds"][variant + name], other["cpu_seconds"][variant + name])
            theirs = cost.rates(other["bytes"])
            row |= {f"{variant}datatrove {key}": rate for key, rate in theirs.items()}
            for key, rate in theirs.items():
                row[f"{variant}ratio {key}"] = row[key] / rate
        found[name] = row
    return found


def agreement(
    own: Mapping[str, Iterable[int]], other: Mapping[str, Iterable[int]], total: int
) -> dict[str, dict[str, float]]:
    """How many documents both judge alike, and what the others are."""
    found = {}
    for name, kept in own.items():
        mine, theirs = set(kept), set(other[name])
        found[name] = {
            "share": 1 - len(mine ^ theirs) / total,
            "kept by both": len(mine & theirs),
            "by ringlake only": len(mine - theirs),
            "by datatrove only": len(theirs - mine),
        }
    return found


def first_bytes(documents: Iterable[str], wanted: float) -> Iterable[str]:
    """Documents until they have so many bytes."""
    total = 0
    for document in documents:
        total += len(document.encode())
        if total > wanted:
            return
        yield document


def text(value: Mapping[str, Any]) -> str:
    """The measurement for people."""
    lines = [
        f"{value['documents']:,} documents, {value['bytes'] / 1e6:.1f} MB; datatrove: the first "
        f"{value['peer_documents']:,}, {value['peer_bytes'] / 1e6:.1f} MB\n"
    ]
    for cores, of in value["rates"].items():
        head = [f"on {cores} core(s), a core", "MB/s", "MB/CPU s"]
        head += ["datatrove", "MB/CPU s", "ratio", "CPU ratio", "plain words", "ratio"]
        rows = []
        for name, row in of.items():
            each = int(cores)
            cells = [f"{row['mb_per_second'] / each:.2f}", f"{row['mb_per_cpu_second']:.2f}"]
            for variant, keys in (("", True), ("plain ", False)):
                if f"{variant}ratio mb_per_second" not in row:
                    cells += ["-"] * (4 if keys else 2)
                    continue
                cells.append(f"{row[f'{variant}datatrove mb_per_second'] / each:.2f}")
                if keys:
                    cells.append(f"{row[f'{variant}datatrove mb_per_cpu_second']:.2f}")
                cells.append(f"{row[f'{variant}ratio mb_per_second']:.1f}")
                if keys:
                    cells.append(f"{row[f'{variant}ratio mb_per_cpu_second']:.1f}")
            rows.append([name, *cells])
        lines.append(corpus.table_text(head, rows))
    for key, title in (("agreement", "same decision"), ("agreement_given_words", "given the same words")):
        if key not in value:
            continue
        head = [title, "share", "kept by both", "by ringlake only", "by datatrove only"]
        lines.append(
            corpus.table_text(
                head,
                [
                    [name, f"{row['share']:.2%}", *(f"{row[column]:,}" for column in head[2:])]
                    for name, row in value[key].items()
                ],
            )
        )
    if "peer" in value:
        lines.append(f"datatrove {value['peer']}\n")
    lines += [f"{line}\n" for line in value["missing"]]
    lines.append(f"python -m benchmarks {' '.join(value['command'])}\n{json.dumps(value['machine'])}\n")
    return "\n".join(lines)
