"""MinHash deduplication beside datatrove and text-dedup: 14 bands of 8 rows, 5-grams, the same documents.

python -m benchmarks minhash                                 one and two cores; about 5 minutes
python -m benchmarks minhash --megabytes 1 --pairs 60 --cores 1
python -m benchmarks minhash --megabytes 100 --cores 1       all documents there are, 57 MB; 10 minutes
python -m benchmarks minhash --megabytes 100 --only ""       ringlake alone, in a minute

To the documents of the Python installation copies with known Jaccard similarity are added; recall is told by
band of similarity. ringlake is the dedup stage in Spark on local[N], exact duplicates, clusters, split and
true similarities included; datatrove are its four steps (signatures, buckets, clusters, filter) with
JSON lines in and out, text-dedup its command's function on the same lines. Each is pinned to its cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import corpus, peers, planted, side_by_side
from conf.dedup import DedupConfig
from schemas.clean import CLEAN

BANDS, ROWS = 14, 8

PEERS = ("datatrove", "text-dedup")
PEER_SCRIPT = "peer_minhash.py"


def main(argv: list[str]) -> int:
    """Measures all in turn and prints a table, or JSON."""
    parser = side_by_side.options_of("minhash", __doc__, "folder for the text, used again if it is there")
    parser.add_argument("--megabytes", type=float, default=8, help="text before copies are added")
    parser.add_argument("--pairs", type=int, default=900, help="copies with known similarity")
    parser.add_argument(
        "--only", default=",".join(PEERS), help="names of peers, with commas; an empty one leaves all out"
    )
    return side_by_side.run("minhash", parser, argv, measure, compare, text)


def compare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Rates and recall of all."""
    base = corpus.texts(options.keep or folder, options.megabytes)
    documents, pairs = planted.plant(base, options.pairs)
    corpus.write_parts(folder / "clean", CLEAN, documents)
    total = corpus.num_bytes(documents)
    names = options.only.split(",") if options.only else []
    present = peers.python_of(corpus.ENVIRONMENT) is not None
    results: dict[str, dict[str, Any]] = {}
    for cores in map(int, options.cores.split(",")):
        arguments = ["--keep", str(folder), "--rounds", str(options.rounds)]
        found = {"ringlake": corpus.own("minhash", arguments, cores)}
        for name in names if present else []:
            place = folder / f"{name}-{cores}"
            (place / "in").mkdir(parents=True)
            for core in range(cores):
                corpus.write_lines(place / "in" / f"{core}.jsonl", documents[core::cores])
            found[name] = corpus.of_peer(PEER_SCRIPT, [name, str(place), str(cores)], cores)
        results[str(cores)] = {name: _row(each, total, pairs) for name, each in found.items()}
        _add_ratios(results[str(cores)])
    return {
        "documents": len(documents),
        "bytes": total,
        "pairs": len(pairs),
        "results": results,
        "missing": [] if present else [peers.missing(name) for name in names],
    }


def measure(cores: int, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of the whole stage and of the signatures alone, and the clusters; in a fresh process."""
    from pyspark.sql import functions as F

    from pipelines.dedup.exact import content_hash
    from pipelines.dedup.minhash import MinHash, with_keys
    from pipelines.dedup.stage import dedup
    from pipelines.stage_output import StageOutput

    spark = corpus.open_spark(cores, "minhash")
    documents = corpus.frame(spark, CLEAN, folder / "clean").cache()
    documents.count()
    config = DedupConfig(bands=BANDS, rows=ROWS, ngram=planted.NGRAM)
    hashed = documents.select("doc_id", "num_bytes", content_hash(F.col("text")).alias("content"), "text")
    family = MinHash(config.ngram, config.bands, config.rows, config.seed)

    def signatures() -> StageOutput:
        return StageOutput({"keys": with_keys(hashed, family)})

    parts = {}
    for name, make in (("end to end", lambda: dedup(documents, config)), ("signatures", signatures)):
        corpus.run_stage(make)
        costs = [corpus.run_stage(make) for _ in range(rounds)]
        parts[name] = {
            "seconds": statistics.median(cost.seconds for cost in costs),
            "cpu_seconds": statistics.median(cost.cpu_seconds for cost in costs),
        }
    removed = dedup(documents, config).tables["duplicates"].select("doc_id", "kept_doc_id").collect()
    clusters = {}
    for row in removed:
        hub = int(row["kept_doc_id"])
        clusters[hub] = hub
        clusters[int(row["doc_id"])] = hub
    spark.stop()
    return {"parts": parts, "clusters": list(clusters.items()), "removed": len(removed), "version": ""}


def _row(found: Mapping[str, Any], total: int, pairs: list[planted.Pair]) -> dict[str, Any]:
    parts: dict[str, dict[str, float]] = {
        name: {**part, **corpus.Cost(part["seconds"], part["cpu_seconds"]).rates(total)}
        for name, part in found["parts"].items()
    }
    clusters = {int(document): int(cluster) for document, cluster in found["clusters"]}
    return {
        "parts": parts,
        "removed": found["removed"],
        "recall": planted.recall(pairs, clusters, BANDS, ROWS),
        "version": found["version"],
    }


def _add_ratios(found: dict[str, dict[str, Any]]) -> None:
    """ringlake's rates over the others'."""
    for row in found.values():
        for name, part in row["parts"].items():
            own = found["ringlake"]["parts"][name]
            part["ratio"] = own["mb_per_second"] / part["mb_per_second"]
            part["cpu_ratio"] = own["mb_per_cpu_second"] / part["mb_per_cpu_second"]


def text(value: Mapping[str, Any]) -> str:
    """The measurement for people."""
    lines = [
        f"{value['documents']:,} documents, {value['bytes'] / 1e6:.1f} MB, {value['pairs']} planted pairs; "
        f"{BANDS} bands of {ROWS}, {planted.NGRAM}-grams\n"
    ]
    for cores, of in value["results"].items():
        head = [f"on {cores} core(s)"]
        for part in ("end to end", "signatures"):
            head += [f"{part} MB/s", "ratio", "MB/CPU s", "CPU ratio"]
        head += ["removed", *(f"{low:g}-{high:g}" for low, high in planted.BANDS)]
        rows = []
        for name, row in of.items():
            cells = [f"{name} {row['version']}".strip()]
            for part in (row["parts"]["end to end"], row["parts"]["signatures"]):
                cells += [f"{part['mb_per_second']:.2f}", f"{part['ratio']:.2f}"]
                cells += [f"{part['mb_per_cpu_second']:.2f}", f"{part['cpu_ratio']:.2f}"]
            cells += [f"{row['removed']:,}", *(f"{band['recall']:.1%}" for band in row["recall"])]
            rows.append(cells)
        promised = next(iter(of.values()))["recall"]
        rows.append(
            [f"1 - (1 - s^{ROWS})^{BANDS}", *["-"] * 9, *(f"{band['promised']:.1%}" for band in promised)]
        )
        lines.append(corpus.table_text(head, rows))
    lines += [f"{line}\n" for line in value["missing"]]
    lines.append(f"python -m benchmarks {' '.join(value['command'])}\n{json.dumps(value['machine'])}\n")
    return "\n".join(lines)
