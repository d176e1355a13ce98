"""The stages that turn files into packed sequences, each bound to its tables and its accounts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from pipelines.clean.resources import lists_fingerprint
from pipelines.clean.stage import clean
from pipelines.decontaminate.items import files_hash
from pipelines.dedup.stage import dedup
from pipelines.errors import AccountingError, InputError, StageFailedError
from pipelines.ingest.discover import discover, fingerprint
from pipelines.ingest.stage import ingest
from pipelines.lake import read_table
from pipelines.pack.stage import pack, packed_totals, write_settings
from pipelines.run.accounting import Tally
from pipelines.run.binding import rows_of, watched, write_output
from pipelines.run.context import Context
from pipelines.run.history import history_log, open_history
from pipelines.run.optional_stages import (
    MIX_STAGE,
    REPEATS_STAGE,
    cleaned,
    decontaminated,
    mixed_tokens,
    packed_inputs,
    tell_of_unread,
)
from pipelines.run.stage import Outcome, Stage
from pipelines.tokenize.audit import difference_in
from pipelines.tokenize.choice import without_gigatoken
from pipelines.tokenize.stage import WRITE_SETTINGS, tokenize
from pipelines.tokenize.train import train_tokenizer
from schemas import SIGNATURES, SUPERSEDED
from schemas.token_ids import token_bytes
from training.storage import Folder

Metadata = dict[str, Any]

_WORKER_DIED = "Python worker exited unexpectedly"
"""What Spark says where a worker was killed by a signal, as by a fault in native code."""

_TOKENS_MADE = ("tokenizer_hash", "vocab_size", "eod_id", "token_bytes")
"""What tokenizing notes with the commit of `tokens`, and packing with that of `sequences`."""


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
    if source == "clean":
        tell_of_unread(context, "trimmed", "clean", "repeats.unit")
    config = context.config.dedup
    with (
        watched(context, "dedup", "Find duplicates and split train from validation"),
        open_history(context) as history,
    ):
        output = dedup(documents, config, context.console.say, history.rows if history else None)
        output = decontaminated(context, output, documents)
        tables = dict(output.tables)
        signatures = tables.pop(SIGNATURES.name, None)
        if history is None and context.catalog.exists(SUPERSEDED.name):
            # What an earlier run with a history left says nothing of this corpus.
            tables[SUPERSEDED.name] = context.spark.createDataFrame([], SUPERSEDED.spark_schema())
        after = None
        if history is not None and signatures is not None:
            after = partial(history.append, signatures, output.details["batch_number"], metadata)
        versions = write_output(context, replace(output, tables=tables), metadata, after=after)
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
    config, say = context.config.tokenize, context.console.say
    with (
        watched(context, "tokenize", "Train the tokenizer and encode the corpus"),
        tempfile.TemporaryDirectory(prefix="ringlake-tokenizer-") as draft,
    ):
        info = train_tokenizer(corpus, config, Path(draft, "new"), say)
        folder = tokenizer_folder(context, info.sha256)
        if not folder.is_folder():
            folder.replace_by(info.folder)
        tokenizer_json = info.folder / "tokenizer.json"
        output = tokenize(corpus, tokenizer_json, config, say)
        made = {
            "tokenizer_hash": info.sha256,
            "vocab_size": info.vocab_size,
            "eod_id": info.eod_id,
            "token_bytes": token_bytes(info.vocab_size),
        }
        try:
            versions = write_output(context, output, metadata | made, WRITE_SETTINGS)
        except Exception as error:
            if output.details["engine"] != "gigatoken":
                raise
            difference = difference_in(error)
            if difference is not None:
                output = tokenize(corpus, tokenizer_json, without_gigatoken(config, difference, say), say)
                versions = write_output(context, output, metadata | made, WRITE_SETTINGS)
            elif _WORKER_DIED in str(error):
                raise StageFailedError(
                    "tokenize: a Python worker died while gigatoken encoded; encode it "
                    "with the other library: --set tokenize.engine=tokenizers"
                ) from error
            else:
                raise
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
    if "token_bytes" not in source.metadata:
        raise InputError(
            f"table 'tokens' (version {source.version}) of the lake {context.lake.location} is of another "
            f"release, whose token ids are stored in another way; tokenize again: "
            f"ringlake tokenize --lake {context.lake.location}"
        )
    made = {name: source.metadata[name] for name in _TOKENS_MADE}
    made |= {
        "sequence_length": config.sequence_length,
        "rows_per_group": config.rows_per_group,
    }
    with watched(context, "pack", "Pack the tokens into shuffled sequences"):
        output = pack(tokens, config, made["eod_id"], made["vocab_size"])
        versions = write_output(context, output, metadata | made, write_settings(config))
        sequences = read_table(context.spark, context.lake, "sequences", versions["sequences"])
        documents, packed = packed_totals(sequences)
        given = tokens.agg(F.sum("num_tokens") + F.count("*")).first()
    assert given is not None
    if packed != given[0]:
        raise AccountingError(
            f"pack: {given[0]} tokens (end-of-document tokens included) went in, {packed} came out; "
            "the run is not recorded as done. Please report this with the run file"
        )
    rows_in = source.rows if "copy" not in tokens.columns else tokens.count()
    tally = Tally(rows_in=rows_in, rows_out=documents)
    details = {
        "tokens": packed,
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
        artefacts=history_log,
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
