"""The stage on Spark: the same rows on any partitioning, contiguous ids, whole row groups."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.pack import PackConfig
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, write_table
from pipelines.pack import order, stage
from pipelines.pack.stage import MOST_FILES, pack, packed_totals, widened, write_settings
from tests.support.token_ids import numbers, stored

CONFIG = PackConfig(sequence_length=16, rows_per_group=8, rows_per_file=32, seed=3)
BEST_FIT = CONFIG.model_copy(update={"method": "best_fit"})
SCHEMA = "doc_id string, split string, input_ids binary, num_tokens long, num_bytes long"


def _tokens(spark: SparkSession, partitions: int, count: int = 200) -> tuple[DataFrame, dict[str, list[int]]]:
    random_ = random.Random(5)
    docs = {
        f"{n:032x}": [random_.randrange(1, 99) for _ in range(random_.randrange(60))] for n in range(count)
    }
    rows = [
        (doc_id, "validation" if number % 7 == 0 else "train", stored(ids), len(ids), len(ids))
        for number, (doc_id, ids) in enumerate(docs.items())
    ]
    random_.shuffle(rows)
    return spark.createDataFrame(rows, SCHEMA).repartition(partitions), docs


def _rows(tokens: DataFrame, config: PackConfig = CONFIG) -> list[dict[str, Any]]:
    frame = pack(tokens, config, eod_id=0, vocab_size=99).tables["sequences"]
    rows = [row.asDict(recursive=True) for row in frame.collect()]
    for row in rows:
        row["input_ids"] = numbers(row["input_ids"])
    return sorted(rows, key=lambda row: (row["split"], row["sequence_id"]))


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets of a few documents, so that small tables have many."""
    monkeypatch.setattr(order, "BUCKET_TOKENS", 300)


@pytest.mark.usefixtures("small_buckets")
@pytest.mark.parametrize("config", [CONFIG, BEST_FIT], ids=["concat", "best_fit"])
def test_equal_rows_on_any_partitioning(spark: SparkSession, config: PackConfig) -> None:
    expected = _rows(_tokens(spark, 1)[0], config)
    assert _rows(_tokens(spark, 7)[0], config) == expected


@pytest.mark.parametrize("first_bits", [order.FIRST_BITS, 2], ids=["summed at once", "summed again"])
def test_concatenation_is_the_same_with_any_buckets(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, first_bits: int
) -> None:
    tokens, _ = _tokens(spark, 3)
    expected = _rows(tokens)
    monkeypatch.setattr(order, "BUCKET_TOKENS", 40)
    monkeypatch.setattr(order, "FIRST_BITS", first_bits)
    assert order.measure(tokens.withColumn("copy", F.lit(0)), CONFIG.seed).bucket_bits > 2
    assert _rows(tokens) == expected


@pytest.mark.usefixtures("small_buckets")
def test_best_fit_cuts_no_document_that_fits_and_counts_its_padding(spark: SparkSession) -> None:
    tokens, docs = _tokens(spark, 2)
    output = pack(tokens, BEST_FIT, 0, 99)
    rows = _rows(tokens, BEST_FIT)
    parts = [part for row in rows for part in row["segments"]]
    cut = [part for part in parts if part["end"] - part["start"] < 16 and part["doc_start"] % 16]
    assert cut == []
    assert len(parts) == sum(-(-(len(ids) + 1) // 16) for ids in docs.values())
    padding = {
        split: sum(16 - row["num_tokens"] for row in rows if row["split"] == split)
        for split in ("train", "validation")
    }
    assert output.details["padding_tokens"] == padding


@pytest.mark.parametrize("config", [CONFIG, BEST_FIT], ids=["concat", "best_fit"])
def test_every_document_is_found_again_in_its_split(spark: SparkSession, config: PackConfig) -> None:
    tokens, docs = _tokens(spark, 4)
    rows = _rows(tokens, config)
    pieces: dict[str, dict[int, list[int]]] = {doc_id: {} for doc_id in docs}
    for row in rows:
        for part in row["segments"]:
            found = pieces[part["doc_id"]]
            assert part["doc_start"] not in found
            found[part["doc_start"]] = row["input_ids"][part["start"] : part["end"]]
    for doc_id, ids in docs.items():
        assert [token for start in sorted(pieces[doc_id]) for token in pieces[doc_id][start]] == [*ids, 0]
    held_out = {row.doc_id for row in tokens.where("split = 'validation'").select("doc_id").collect()}
    for row in rows:
        assert {part["doc_id"] in held_out for part in row["segments"]} == {row["split"] == "validation"}
    for split in ("train", "validation"):
        ids = [row["sequence_id"] for row in rows if row["split"] == split]
        assert ids == list(range(len(ids)))
        if config.method == "concat":
            assert sum(row["num_tokens"] < 16 for row in rows if row["split"] == split) <= 1
    totals = packed_totals(pack(tokens, config, 0, 99).tables["sequences"])
    assert totals == (len(docs), sum(len(ids) + 1 for ids in docs.values()))


def test_another_seed_is_another_order_and_neighbours_are_parted(spark: SparkSession) -> None:
    tokens, _ = _tokens(spark, 2)
    rows = _rows(tokens)
    assert _rows(tokens, CONFIG.model_copy(update={"seed": 4})) != rows
    train = [row for row in rows if row["split"] == "train"]
    # A document that goes on in the next sequence of the stream: in the shuffle that is rarely the next id.
    goes_on = sum(
        bool({p["doc_id"] for p in a["segments"]} & {p["doc_id"] for p in b["segments"]})
        for a, b in pairwise(train)
    )
    assert goes_on < len(train) / 10


def test_files_hold_ranges_in_whole_row_groups(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.create()
    tokens, _ = _tokens(spark, 3)
    frame = pack(tokens, CONFIG, 0, 99).tables["sequences"]
    version = write_table(spark, lake, "sequences", frame, {}, write_settings(CONFIG))
    ranges = []
    for file in Catalog(lake).active_files("sequences", version, {"split": "train"}):
        table = pq.ParquetFile(file.path)
        ids = table.read(["sequence_id"]).column(0).to_pylist()
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        ranges.append((ids[0], len(ids)))
        sizes = [table.metadata.row_group(i).num_rows for i in range(table.num_row_groups)]
        assert sizes[:-1] == [8] * (len(sizes) - 1)
    ranges.sort()
    assert [start for start, _ in ranges] == [32 * number for number in range(len(ranges))]
    assert [size for _, size in ranges[:-1]] == [32] * (len(ranges) - 1)
    assert len(ranges) > 3


@pytest.mark.parametrize(
    ("num_sequences", "factor"),
    [(1, 1), (16_384 * 8192, 1), (16_384 * 8192 + 1, 2), (1_100_000_000, 16), (11_000_000_000, 128)],
)
def test_files_and_their_row_groups_grow_with_the_corpus(num_sequences: int, factor: int) -> None:
    wide = widened(PackConfig(), num_sequences)
    assert (wide.rows_per_file, wide.rows_per_group) == (factor * 8192, factor * 256)
    assert -(-num_sequences // wide.rows_per_file) <= MOST_FILES


def test_a_corpus_of_too_many_files_gets_larger_ones_and_the_same_rows(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, _ = _tokens(spark, 2)
    expected = _rows(tokens)
    monkeypatch.setattr(stage, "MOST_FILES", 3)
    output = pack(tokens, CONFIG, 0, 99)
    rows = output.details["rows_per_file"]
    counts = output.details["sequences_by_split"]
    assert rows > 32 and rows == 4 * output.details["rows_per_group"]
    assert output.details["num_files"] == sum(-(-count // rows) for count in counts.values())
    assert max(-(-count // rows) for count in counts.values()) <= 3
    parts = output.tables["sequences"].select("split", "sequence_id", F.spark_partition_id().alias("part"))
    for row in parts.collect():
        assert row["part"] == row["sequence_id"] // rows + (
            -(-counts["train"] // rows) if row["split"] == "validation" else 0
        )
    assert _rows(tokens) == expected


def test_rows_stay_in_order_where_sorts_spill(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.create()
    settings = spark.sparkContext._jsc.sc().conf()
    settings.set("spark.shuffle.spill.numElementsForceSpillThreshold", "10")
    try:
        frame = pack(_tokens(spark, 2)[0], CONFIG, 0, 99).tables["sequences"]
        version = write_table(spark, lake, "sequences", frame, {}, write_settings(CONFIG))
    finally:
        settings.remove("spark.shuffle.spill.numElementsForceSpillThreshold")
    files = Catalog(lake).active_files("sequences", version, {"split": "train"})
    assert len(files) > 3
    for file in files:
        ids = pq.ParquetFile(file.path).read(["sequence_id"]).column(0).to_pylist()
        assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_tiny_and_empty_inputs(spark: SparkSession) -> None:
    one = spark.createDataFrame([("a" * 32, "train", stored([5, 6, 7]), 3, 3)], SCHEMA)
    assert [row["input_ids"][:5] for row in _rows(one)] == [[5, 6, 7, 0, 0]]
    empty_text = spark.createDataFrame([("a" * 32, "train", stored([]), 0, 0)], SCHEMA)
    assert [(row["num_tokens"], set(row["input_ids"])) for row in _rows(empty_text)] == [(1, {0})]
    with pytest.raises(InputError, match="no tokens to pack"):
        pack(spark.createDataFrame([], SCHEMA), CONFIG, 0, 99)
