"""The stages that turn files into packed sequences, each bound to its tables and its accounts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from pipelines.clean.resources import lists_fingerprint
from pipelines.clean.stage import clean
from pipelines.decontaminate.items import files_hash
from pipelines.dedup.stage import dedup
from pipelines.errors import AccountingError
from pipelines.ingest.discover import discover, fingerprint
from pipelines.ingest.stage import ingest
from pipelines.lake import read_table
from pipelines.pack.stage import pack, packed_documents, write_settings
from pipelines.run.accounting import Tally
from pipelines.run.binding import rows_of, watched, write_output
from pipelines.run.context import Context
from pipelines.run.optional_stages import (
    MIX_STAGE,
    REPEATS_STAGE,
    cleaned,
    decontaminated,
    mixed_tokens,
    packed_inputs,
)
from pipelines.run.stage import Outcome, Stage
from pipelines.tokenize.stage import tokenize
from pipelines.tokenize.train import train_tokenizer
from training.storage import Folder

Metadata = dict[str, Any]


def _ingest(context: Context, metadata: Metadata) -> Outcome:
    files = discover(context.config.ingest)
    size = sum(file.num_bytes for file in files)
    context.console.say(f"    {len(files):,} files, {size / 2**20:,.1f} MiB")
    with watched(context, "ingest", "Read the input files"):
        output = ingest(context.spark, context.config.ingest, files)
        versions = write_output(context, output, metadata)
    rows = rows_of(context, versions)
    sources = read_table(context.spark, context.lake, "sources", versions["sources"])
    total = sources.agg(F.sum("records")).first()
    records = int((total[0] if total is not None else 0) or 0)
    tally = Tally(rows_in=records, rows_out=rows["documents"], rows_quarantined=rows["quarantine"])
    return Outcome(versions, tally, output.details)


def _clean(context: Context, metadata: Metadata) -> Outcome:
    documents = context.input("documents")
    with watched(context, "clean", "Repair, judge and redact the documents"):
        output = clean(documents, context.config.clean)
        versions = write_output(context, output, metadata)
    rows = rows_of(context, versions)
    tally = Tally(
        rows_in=context.catalog.info("documents", metadata["inputs"]["documents"]).rows,
        rows_out=rows["clean"],
        rows_rejected=rows["rejected"],
    )
    return Outcome(versions, tally, output.details)


def _dedup(context: Context, metadata: Metadata) -> Outcome:
    source = cleaned(context)
    documents = context.input(source)
    with watched(context, "dedup", "Find duplicates and split train from validation"):
        output = dedup(documents, context.config.dedup, context.console.say)
        output = decontaminated(context, output, documents)
        versions = write_output(context, output, metadata)
    rows = rows_of(context, versions)
    tally = Tally(
        rows_in=context.catalog.info(source, metadata["inputs"][source]).rows,
        rows_out=rows["corpus"],
        rows_rejected=rows.get("contaminated", 0),
        rows_duplicate=rows["duplicates"],
    )
    return Outcome(versions, tally, output.details)


def _tokenize(context: Context, metadata: Metadata) -> Outcome:
    corpus = context.input("corpus")
    with (
        watched(context, "tokenize", "Train the tokenizer and encode the corpus"),
        tempfile.TemporaryDirectory(prefix="ringlake-tokenizer-") as draft,
    ):
        info = train_tokenizer(corpus, context.config.tokenize, Path(draft, "new"), context.console.say)
        folder = tokenizer_folder(context, info.sha256)
        if not folder.is_folder():
            folder.replace_by(info.folder)
        output = tokenize(corpus, info.folder / "tokenizer.json", context.config.tokenize)
        made = {
            "tokenizer_hash": info.sha256,
            "vocab_size": info.vocab_size,
            "eod_id": info.eod_id,
        }
        versions = write_output(context, output, metadata | made)
    rows = rows_of(context, versions)
    tally = Tally(
        rows_in=context.catalog.info("corpus", metadata["inputs"]["corpus"]).rows,
        rows_out=rows["tokens"],
    )
    return Outcome(versions, tally, output.details | made)


def _pack(context: Context, metadata: Metadata) -> Outcome:
    tokens = mixed_tokens(context)
    source = context.catalog.info("tokens", metadata["inputs"]["tokens"])
    config = context.config.pack
    made = {name: source.metadata[name] for name in ("tokenizer_hash", "vocab_size", "eod_id")}
    made |= {
        "sequence_length": config.sequence_length,
        "rows_per_group": config.rows_per_group,
    }
    with watched(context, "pack", "Pack the tokens into shuffled sequences"):
        output = pack(tokens, config, made["eod_id"])
        versions = write_output(context, output, metadata | made, write_settings(config))
        sequences = read_table(context.spark, context.lake, "sequences", versions["sequences"])
        documents = packed_documents(sequences)
        packed = sequences.agg(F.sum("num_tokens")).first()
        given = tokens.agg(F.sum("num_tokens") + F.count("*")).first()
    assert packed is not None
    assert given is not None
    if packed[0] != given[0]:
        raise AccountingError(
            f"pack: {given[0]} tokens (end-of-document tokens included) went in, {packed[0]} came out; "
            "the run is not recorded as done. Please report this with the run file"
        )
    rows_in = source.rows if "copy" not in tokens.columns else tokens.count()
    tally = Tally(rows_in=rows_in, rows_out=documents)
    details = {
        "tokens": int(packed[0]),
        "sequences": rows_of(context, versions)["sequences"],
    }
    return Outcome(versions, tally, output.details | made | details)


def tokenizer_folder(context: Context, sha256: str) -> Folder:
    """Where the tokenizer with this content lies."""
    return context.lake.tokenizers.child(sha256[:16])


def _stage(
    name: str,
    purpose: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    run: Callable[..., Outcome],
    **more: Any,
) -> Stage:
    return Stage(
        name=name,
        purpose=purpose,
        sections=(name,),
        inputs=inputs,
        outputs=outputs,
        execute=run,
        **more,
    )


DATA_STAGES = (
    _stage(
        "ingest",
        "read the input files",
        (),
        ("sources", "documents", "quarantine"),
        _ingest,
        fingerprint=lambda context: fingerprint(discover(context.config.ingest)),
    ),
    _stage(
        "clean",
        "repair, judge and redact the documents",
        ("documents",),
        ("clean", "rejected"),
        _clean,
        fingerprint=lambda context: lists_fingerprint(context.config.clean),
    ),
    REPEATS_STAGE,
    Stage(
        name="dedup",
        purpose="find duplicates, split train from validation",
        sections=("dedup", "decontaminate"),
        inputs=("clean",),
        outputs=("corpus", "duplicates"),
        execute=_dedup,
        fingerprint=lambda context: files_hash(context.config.decontaminate),
        instead=lambda context: (cleaned(context),),
    ),
    _stage(
        "tokenize",
        "train the tokenizer, encode the corpus",
        ("corpus",),
        ("tokens",),
        _tokenize,
    ),
    MIX_STAGE,
    _stage(
        "pack",
        "pack the tokens into shuffled sequences",
        ("tokens",),
        ("sequences",),
        _pack,
        instead=packed_inputs,
    ),
)
