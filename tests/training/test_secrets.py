"""A lake's address may have a password or a signature: none of it reaches what training leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.training.tiny import job_of, make_config, make_snapshots, make_tokenizer
from training.loop import train_rank
from training.sources import open_sources

SECRETS = ("TOPSECRET", "HIDDENTOKEN")
ADDRESS = f"s3://writer:{SECRETS[0]}@store.example/lake/tables/sequences?signature={SECRETS[1]}"


def test_no_file_of_a_training_has_the_secrets_of_its_tables(tmp_path: Path) -> None:
    config = make_config(steps=4)
    tokenizer = make_tokenizer(tmp_path / "tokenizer")
    train, validation = make_snapshots(tmp_path / "sequences", tokenizer)
    # Another place is not the same table; where the files are, the snapshot says file by file.
    sources = open_sources(config, replace(train, table=ADDRESS), [])
    job = job_of(tmp_path, config, sources, replace(validation, table=ADDRESS), tokenizer)
    train_rank(job)
    model = tmp_path / "model"
    assert "trained by" in (model / "README.md").read_text("utf-8")
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"README.md", "config.json", "model.safetensors"} <= {file.name for file in files}
    assert any("checkpoints" in file.parts for file in files)
    for file in files:
        content = file.read_bytes()
        assert not [secret for secret in SECRETS if secret.encode() in content], file
    # The model is meant to be published: where the lake lies is nobody's business either.
    for file in model.iterdir():
        assert b"store.example" not in file.read_bytes(), file
