"""Vectors: the same for any partitioning, near for words in like places, and a start for a model."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession
from safetensors.numpy import save_file

from conf.features import FeaturesConfig
from conf.model import ModelConfig
from pipelines.errors import InputError
from pipelines.features.embeddings import embedding_file
from pipelines.features.vectors import train_vectors
from training.errors import DataError
from training.models.build import build_model

CONFIG = FeaturesConfig(vector_size=16, window=3, min_count=3, iterations=8)


def sentences(spark: SparkSession, partitions: int) -> DataFrame:
    """Two topics whose words never meet: words of one topic stand in like places."""
    random_ = random.Random(3)
    topics = [[f"red{n}" for n in range(6)], [f"blue{n}" for n in range(6)]]
    rows = [(f"{n:04d}", [random_.choice(topics[n % 2]) for _ in range(12)]) for n in range(400)]
    random.Random(partitions).shuffle(rows)
    data = spark.sparkContext.parallelize([*rows, ("once", ["rare"])], partitions)
    return spark.createDataFrame(data, "doc_id string, units array<string>")


def vectors(frame: DataFrame) -> dict[str, list[float]]:
    return {row["term"]: row["vector"] for row in train_vectors(frame, CONFIG).collect()}


def test_the_same_corpus_gives_the_same_vectors_and_like_words_lie_together(spark: SparkSession) -> None:
    found = vectors(sentences(spark, 3))
    assert found == vectors(sentences(spark, 2))
    assert set(found) == {f"{colour}{n}" for colour in ("red", "blue") for n in range(6)}
    unit = {word: np.array(value) / np.linalg.norm(value) for word, value in found.items()}
    near = [unit[f"red{n}"] @ unit[f"red{n + 1}"] for n in range(5)]
    far = [unit[f"red{n}"] @ unit[f"blue{n}"] for n in range(6)]
    assert min(near) > max(far)


def test_too_rare_words_are_an_error_with_the_key(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("a", ["x", "y"])], "doc_id string, units array<string>")
    with pytest.raises(InputError, match=r"features\.min_count = 3"):
        train_vectors(frame, CONFIG)


def table(ids: list[int], size: int) -> pa.Table:
    random_ = np.random.default_rng(1)
    rows = random_.normal(3, 7, (len(ids), size)).astype(np.float32)
    return pa.table(
        {"term": [str(i) for i in ids], "vector": pa.array(rows.tolist(), pa.list_(pa.float32()))}
    )


def model(embeddings: Path | None) -> Any:
    config = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    }
    section = ModelConfig(config=config, embeddings=None if embeddings is None else str(embeddings))
    return build_model(section, vocab_size=40, sequence_length=8, end_id=0, seed=1)


def test_a_model_starts_from_the_vectors_at_its_own_scale(tmp_path: Path) -> None:
    ids = [5, 1, 17, 30, 31, 32]
    given = table(ids, 16)
    name, content = embedding_file(given, 40)
    (tmp_path / name).write_bytes(content)
    plain = model(None).get_input_embeddings().weight.detach()
    started = model(tmp_path / name).get_input_embeddings().weight.detach()
    others = [i for i in range(40) if i not in ids]
    assert torch.equal(started[others], plain[others])
    rows = torch.tensor(given["vector"].to_pylist())
    correlation = torch.corrcoef(torch.stack([rows.flatten(), started[ids].flatten()]))[0, 1]
    assert correlation == pytest.approx(1, abs=1e-5)
    assert started[ids].std() == pytest.approx(float(plain.std()), rel=0.02)


def test_ids_beyond_the_vocabulary_are_refused() -> None:
    with pytest.raises(InputError, match="40 entries"):
        embedding_file(table([3, 40], 4), 40)


@pytest.mark.parametrize("damage", ["size", "rows", "garbage", "missing", "huge", "flat"])
def test_a_file_that_does_not_fit_is_refused_with_both_shapes(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "v.safetensors"
    if damage == "garbage":
        file.write_bytes(b"\xff" * 100)
    elif damage == "huge":
        file.write_bytes(bytes(2**21))
    elif damage == "flat":
        save_file({"embedding": np.ones((40, 16), np.float32), "known": np.ones(40, np.uint8)}, file)
    elif damage != "missing":
        size, rows = (8, 40) if damage == "size" else (16, 39)
        file.write_bytes(embedding_file(table([1, 2], size), rows)[1])
    expected = {"size": r"\(40, 8\).*\(40, 16\)", "rows": r"\(39, 16\)", "huge": "at most", "flat": "equal"}
    with pytest.raises(DataError, match=expected.get(damage, "cannot be read")):
        model(file)


def test_a_pretrained_model_keeps_its_own_embeddings() -> None:
    with pytest.raises(ValidationError, match="leave one of them out"):
        ModelConfig(pretrained="m", embeddings="features")
