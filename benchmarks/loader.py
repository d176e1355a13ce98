"""Tokens a second of ringlake's reader beside other libraries, on the same 20 million tokens.

python -m benchmarks loader                       all readers, one and two ranks
python -m benchmarks loader --only ringlake,pyarrow --seconds 5

Every reader runs in fresh processes, one a rank and one reader at a time, without worker processes, in
the environment that has its library (python -m benchmarks peers). ringlake, Petastorm and the bare pyarrow
loop read the same Parquet files, written as packing writes them; the others read their own format.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import peers
from benchmarks.machine import describe
from benchmarks.readers import BATCH, LENGTH, MARK, SEED

NUM_FILES, GROUPS_PER_FILE, ROWS_PER_GROUP = 4, 19, 256
"""Of the table; row groups are as large as packing makes them by default."""

NUM_SEQUENCES = NUM_FILES * GROUPS_PER_FILE * ROWS_PER_GROUP
"""Times 1024: 20 million tokens."""

VOCAB_SIZE = 50_257
"""GPT-2's; a token fits 16 bits."""

SCRIPT = Path(__file__).with_name("readers.py")

OWN = ("ringlake", "pyarrow", "numpy")
"""Readers that run in ringlake's environment."""

ENVIRONMENTS = {
    "petastorm": "petastorm",
    "streaming": "loaders",
    "webdataset": "loaders",
    "litdata": "loaders",
}

LIBRARIES = tuple(ENVIRONMENTS)


def main(argv: list[str]) -> int:
    """Writes the data, measures the readers in turn and prints a table, or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks loader",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = (*OWN, *LIBRARIES)
    parser.add_argument("--only", default=",".join(names), help="names of readers, with commas")
    parser.add_argument("--ranks", default="1,2", help="numbers of ranks, with commas")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of a process; the median counts")
    parser.add_argument("--repeat", type=int, default=1, help="times that all readers run, in turn")
    parser.add_argument("--keep", type=Path, help="folder for the data, used again if it is there")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    wanted = options.only.split(",")
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"there is no reader {', '.join(unknown)}; there are: {', '.join(names)}")
    absent = [name for name in wanted if name in ENVIRONMENTS and peers.python_of(ENVIRONMENTS[name]) is None]
    present = [name for name in wanted if name not in absent]
    machine = describe()
    found: dict[str, dict[str, list[float]]] = {name: {} for name in present}
    oddities: list[str] = []
    with tempfile.TemporaryDirectory(prefix="ringlake-loader-") as temporary:
        folder = options.keep or Path(temporary)
        truth = prepare(folder, present)
        for _ in range(options.repeat):
            for ranks in options.ranks.split(","):
                for name in present:
                    rate, odd = measure(name, folder, int(ranks), options.seconds, options.rounds, truth)
                    oddities += [odd] if odd else []
                    found[name].setdefault(ranks, []).append(rate)
                    sys.stderr.write(f"{name}, {ranks} ranks: {rate / 1e6:.1f} Mtokens/s\n")
    rates = {
        name: {ranks: statistics.median(each) for ranks, each in of.items()} for name, of in found.items()
    }
    value = {
        "benchmark": "loader",
        "machine": machine,
        "tokens": NUM_SEQUENCES * LENGTH,
        "batch": [BATCH, LENGTH],
        "rows_per_group": ROWS_PER_GROUP,
        "tokens_per_second": rates,
        "against": {ranks: against(rates, ranks) for ranks in options.ranks.split(",")},
        "missing": [peers.missing(name) for name in absent],
        "odd": oddities,
    }
    sys.stdout.write(json.dumps(value, indent=1) + "\n" if options.json else text(value))
    return 0


def against(rates: Mapping[str, Mapping[str, float]], ranks: str) -> dict[str, float]:
    """ringlake's rate over that of every other reader with as many ranks."""
    if "ringlake" not in rates:
        return {}
    own = rates["ringlake"][ranks]
    return {name: own / of[ranks] for name, of in rates.items() if name != "ringlake"}


def total_rate(rounds: Sequence[Sequence[float]]) -> float:
    """The median over the rounds of the sum over the ranks.

    Args:
        rounds: For each rank the tokens a second of each of its rounds.
    """
    return float(statistics.median(sum(each) for each in zip(*rounds, strict=True)))


def tokens() -> Any:
    """uint16 (sequences, 1024): about as frequent as the words of a language (Zipf's law)."""
    generator = np.random.default_rng(SEED)
    draws = generator.random((NUM_SEQUENCES, LENGTH))
    # The inverse of the distribution function of 1/x on 1 .. VOCAB_SIZE.
    return (VOCAB_SIZE**draws - 1).astype(np.uint16)


def prepare(folder: Path, names: Sequence[str]) -> dict[str, int]:
    """Write the data in the formats of the readers, unless it is there; returns its rows and checksum."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = folder / "tokens.npy"
    if not plain.is_file():
        np.save(plain, tokens())
    if not (folder / "snapshot.json").is_file():
        _write_table(folder, plain)
    for name, place in (("streaming", "mds"), ("webdataset", "wds"), ("litdata", "litdata")):
        if name in names and not (folder / place).is_dir():
            environment = ENVIRONMENTS[name]
            process = peers.run(environment, SCRIPT, "write", name, str(plain), str(folder))
            output, _ = process.communicate()
            if process.returncode:
                raise RuntimeError(f"{name} could not write its format:\n{output}")
    values = np.load(plain).astype(np.int64)
    return {"rows": NUM_SEQUENCES, "checksum": int((values * values).sum())}


def measure(
    name: str, folder: Path, ranks: int, seconds: float, rounds: int, truth: Mapping[str, int]
) -> tuple[float, str]:
    """Tokens a second of all ranks of a reader together, and what is odd about what they gave.

    Raises:
        RuntimeError: A rank failed, or ours together did not give the tokens that were written.
    """
    environment = dict(os.environ, MASTER_PORT=str(_free_port()), OMP_NUM_THREADS="1")
    root = str(SCRIPT.parents[1])
    python = sys.executable if name in OWN else str(peers.python_of(ENVIRONMENTS[name]))
    if name in OWN:
        environment["PYTHONPATH"] = root
    command = [python, str(SCRIPT), "read", name, str(folder)]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(ranks), str(seconds), str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for rank in range(ranks)
    ]
    try:
        odd = check(name, [json.loads(_line(name, process)) for process in processes], truth)
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        return total_rate([json.loads(_line(name, process)) for process in processes]), odd
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def check(name: str, parts: Sequence[Mapping[str, int]], truth: Mapping[str, int]) -> str:
    """Make sure that the ranks read what was written.

    Returns:
        What is odd about a library that left rows or gave them twice; empty if nothing is. Those that do not
        divide among the ranks are not odd.

    Raises:
        RuntimeError: A reader of ours gave anything else than what was written.
    """
    rows = sum(part["rows"] for part in parts)
    total = sum(part["checksum"] for part in parts)
    same = rows == truth["rows"] and total == truth["checksum"]
    if name in OWN and not same:
        raise RuntimeError(
            f"{name} gave {rows} rows with checksum {total}, but {truth['rows']} with {truth['checksum']} "
            f"were written"
        )
    # Libraries even out the ranks by whole batches, and Petastorm by whole row groups.
    if abs(rows - truth["rows"]) > truth["rows"] // 20:
        return f"{name} on {len(parts)} ranks gave {rows} of {truth['rows']} rows in an epoch"
    return ""


def text(value: Mapping[str, Any]) -> str:
    """The measurement for people."""
    rates = value["tokens_per_second"]
    ranks = list(value["against"])
    lines = [f"{'Mtokens/s':12}" + "".join(f"{f'{count} ranks':>10}{'ratio':>8}" for count in ranks)]
    for name, of in rates.items():
        cells = "".join(
            f"{of[count] / 1e6:10.1f}{value['against'][count].get(name, 1.0):8.2f}" for count in ranks
        )
        lines.append(f"{name:12}{cells}")
    lines += ["ratio: ringlake over the reader", *value["missing"], *value["odd"]]
    lines += [json.dumps(value["machine"])]
    return "\n".join(lines) + "\n"


def _write_table(folder: Path, plain: Path) -> None:
    """The table `sequences` by Spark, with the settings of packing; and its snapshot as JSON."""
    from conf.pack import PackConfig
    from conf.spark import SparkConfig
    from pipelines.lake import Catalog, Lake, write_table
    from pipelines.pack.stage import write_settings
    from pipelines.session import open_session
    from schemas import TABLES
    from schemas.token_ids import binary_ids, token_bytes

    rows_per_file = GROUPS_PER_FILE * ROWS_PER_GROUP
    config = PackConfig(sequence_length=LENGTH, rows_per_group=ROWS_PER_GROUP, rows_per_file=rows_per_file)
    table = TABLES["sequences"]
    schema = table.arrow_schema()

    def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        source = np.load(plain, mmap_mode="r")
        for batch in batches:
            ids = batch.column("id").to_numpy()
            columns = {
                "split": pa.array(["train"] * len(ids)),
                "sequence_id": pa.array(ids),
                "input_ids": binary_ids(source[ids].reshape(-1), np.full(len(ids), LENGTH, np.int64)),
                "num_tokens": pa.array(np.full(len(ids), LENGTH, np.int32)),
                "segments": pa.array([[]] * len(ids), schema.field("segments").type),
            }
            arrays = [columns[name].cast(schema.field(name).type) for name in schema.names]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    lake = Lake.at(folder / "lake")
    session = SparkConfig(master="local[2]", driver_memory="1g", shuffle_partitions=2)
    spark = open_session(session, "loader benchmark")
    try:
        # Each partition becomes a file of consecutive ids, all of the same size.
        frame = spark.range(0, NUM_SEQUENCES, 1, NUM_FILES).mapInArrow(rows, table.spark_schema())
        version = write_table(spark, lake, "sequences", frame, {}, write_settings(config))
    finally:
        spark.stop()
    snapshot = {
        "table": str(lake.table("sequences")),
        "version": version,
        "split": "train",
        "sequence_length": LENGTH,
        "vocab_size": VOCAB_SIZE,
        "tokenizer_hash": "",
        "token_bytes": token_bytes(VOCAB_SIZE),
        "files": [asdict(f) for f in Catalog(lake).active_files("sequences", version, {"split": "train"})],
    }
    (folder / "snapshot.json").write_text(json.dumps(snapshot), encoding="utf-8")


def _line(name: str, process: subprocess.Popen[str]) -> str:
    assert process.stdout
    for line in process.stdout:
        if line.startswith(MARK):
            return line.removeprefix(MARK)
    raise RuntimeError(f"{name} ended with exit code {process.wait()}; its messages are above")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
