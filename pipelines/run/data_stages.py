"""The stages that turn files into packed sequences, each bound to its tables and its accounts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.data import TokenizeConfig
from pipelines.clean.language import model_hash
from pipelines.clean.resources import lists_fingerprint
from pipelines.clean.stage import clean
from pipelines.dedup.stage import dedup
from pipelines.errors import AccountingError, DocumentsLostError, EnvironmentProblem, InputError
from pipelines.ingest.discover import discover, fingerprint, hidden_detail, unknown_format_notice
from pipelines.ingest.stage import ingest
from pipelines.lake import read_sql, read_table
from pipelines.pack.stage import pack, packed_totals, write_settings
from pipelines.run.accounting import Tally
from pipelines.run.artefacts import file_identity
from pipelines.run.binding import rows_of, watched, write_output
from pipelines.run.context import Context
from pipelines.run.history import history_identity, open_history
from pipelines.run.keys import digest
from pipelines.run.libraries import CLEANING, READERS, TOKENIZING
from pipelines.run.optional_stages import (
    MIX_STAGE,
    REPEATS_STAGE,
    cleaned,
    compared_by,
    decontaminated,
    mixed_tokens,
    packed_inputs,
    sets_fingerprint,
    tell_of_unread,
)
from pipelines.run.stage import Outcome, Stage
from pipelines.stage import StageOutput
from pipelines.tokenize.audit import difference_in, special_in
from pipelines.tokenize.choice import without_gigatoken
from pipelines.tokenize.existing import files_hash as tokenizer_hash
from pipelines.tokenize.folder import CONFIG, SPECIAL, TOKENIZER
from pipelines.tokenize.stage import WRITE_SETTINGS, tokenize
from pipelines.tokenize.train import train_tokenizer
from schemas import SIGNATURES, SUPERSEDED
from schemas.token_ids import token_bytes
from training.scratch import scratch_folder
from training.storage import Folder

Metadata = dict[str, Any]

_WORKER_DIED = "Python worker exited unexpectedly"
"""What Spark says where a worker was killed by a signal, as by a fault in native code."""

_TOKENS_MADE = ("tokenizer_hash", "vocab_size", "eod_id", "token_bytes")
"""What tokenizing notes with the commit of `tokens`, and packing with that of `sequences`."""


def _ingest(context: Context, metadata: Metadata) -> Outcome:
    left_out: list[str] = []
    files = discover(context.config.ingest, left_out)
    size = sum(file.num_bytes for file in files)
    many = "file" if len(files) == 1 else "files"
    context.console.say(f"    {len(files):,} {many}, {size / 2**20:,.1f} MiB")
    context.fit(size)
    with watched(context, "ingest", "Read the input files"):
        output = ingest(context.spark, context.config.ingest, files)
        versions = write_output(context, output, metadata)
    rows = rows_of(context, versions)
    found, quarantined = (_records(context, name, versions[name]) for name in ("sources", "quarantine"))
    tally = Tally(rows_in=found, rows_out=rows["documents"], rows_quarantined=quarantined)
    refusal = None
    unknown = unknown_format_notice(context.config.ingest, files)
    if left_out:
        context.console.say(f"    note: {hidden_detail(left_out)}")
    if tally.rows_quarantined:
        reasons = _reasons(context, versions["quarantine"])
        context.console.say(f"    quarantined: {reasons}")
        if unknown is not None:
            context.console.say(f"    note: {unknown}")
            reasons = f"{reasons}; {unknown}"
        refusal = _refusal(context, tally, reasons)
    elif not tally.rows_out:
        refusal = _refusal(context, tally, "the inputs hold no record")
    return Outcome(versions, tally, output.details, refusal)


def _reasons(context: Context, version: int) -> str:
    """Why records were quarantined, the most frequent reason first, each with its count."""
    sql = "SELECT reason, sum(records) AS number FROM quarantine GROUP BY reason ORDER BY number DESC, reason"
    rows = read_sql(context.lake, sql, {"quarantine": version})
    return ", ".join(f"{row['reason']} {int(row['number']):,}" for row in rows)


def _refusal(context: Context, tally: Tally, reasons: str) -> DocumentsLostError | None:
    """What to end with where nothing was kept, or less than `ingest.max_quarantined_share` allows for."""
    limit, place = context.config.ingest.max_quarantined_share, context.lake.location
    look = f"see which and why: ringlake show {place} quarantine"
    if not tally.rows_out:
        return DocumentsLostError(
            f"ingest: none of {tally.rows_in:,} records became a document ({reasons}); {look}"
        )
    share = tally.rows_quarantined / tally.rows_in
    if share <= limit:
        return None
    return DocumentsLostError(
        f"ingest: {tally.rows_quarantined:,} of {tally.rows_in:,} records ({share:.1%}) were quarantined "
        f"({reasons}), more than ingest.max_quarantined_share = {limit:g} allows; {look}; if they may go, "
        f"raise it: --set ingest.max_quarantined_share={math.ceil(share * 100) / 100:g}"
    )


def _records(context: Context, table: str, version: int) -> int:
    """The sum of the column `records`."""
    sql = f"SELECT sum(records) AS total FROM {table}"  # noqa: S608 - one of our tables
    return int(read_sql(context.lake, sql, {table: version})[0]["total"] or 0)


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
        scratch_folder("ringlake-tokenizer-") as draft,
    ):
        began = time.monotonic()
        info = train_tokenizer(corpus, config, draft / "new", say)
        training_seconds = round(time.monotonic() - began, 3)
        folder = tokenizer_folder(context, info.sha256)
        if _tokenizer_files(folder) != _tokenizer_files(Folder(str(info.folder))):
            # A folder of which a file was lost or changed is no better than none.
            folder.replace_by(info.folder)
        tokenizer_json = info.folder / "tokenizer.json"
        made = {
            "tokenizer_hash": info.sha256,
            "vocab_size": info.vocab_size,
            "eod_id": info.eod_id,
            "token_bytes": token_bytes(info.vocab_size),
        }
        output, versions = _encoded(context, corpus, tokenizer_json, config, metadata | made)
    rows = rows_of(context, versions)
    tally = Tally(
        rows_in=context.catalog.info("corpus", metadata["inputs"]["corpus"]).rows,
        rows_out=rows["tokens"],
    )
    return Outcome(versions, tally, output.details | made | {"training_seconds": training_seconds})


def _encoded(
    context: Context, corpus: DataFrame, tokenizer_json: Path, config: TokenizeConfig, metadata: Metadata
) -> tuple[StageOutput, dict[str, int]]:
    """Writes `tokens`; all of it again by `tokenizers` where gigatoken proves to give other ids."""
    output = tokenize(corpus, tokenizer_json, config, context.console.say)
    try:
        return output, write_output(context, output, metadata, WRITE_SETTINGS)
    except Exception as error:
        special = special_in(error)
        if special is not None:
            raise InputError(
                f"tokenize: the tokenizer cannot be used: {special}; name another one in "
                f"tokenize.tokenizer, or other tokenize.special_tokens"
            ) from error
        if output.details["engine"] != "gigatoken":
            raise
        difference = difference_in(error)
        if difference is None and _WORKER_DIED in str(error):
            raise EnvironmentProblem(
                "tokenize: a Python worker died while gigatoken encoded, most likely for want of memory; "
                "use fewer slots (spark.master=local[N]), or encode with the other library: "
                "--set tokenize.engine=tokenizers"
            ) from error
        if difference is None:
            raise
        other = without_gigatoken(config, difference, context.console.say)
    return _encoded(context, corpus, tokenizer_json, other, metadata)


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
    with watched(context, "pack", "Pack the tokens into shuffled sequences"):
        output = pack(tokens, config, made["eod_id"], made["vocab_size"])
        # Of a large corpus files and row groups are larger than configured.
        sizes = {name: output.details[name] for name in ("rows_per_group", "rows_per_file")}
        config = config.model_copy(update=sizes)
        made |= {
            "sequence_length": config.sequence_length,
            "rows_per_group": config.rows_per_group,
        }
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


def _tokenizer_left(context: Context, details: Mapping[str, Any]) -> dict[str, str]:
    """Identity of the tokenizer's folder, without which nothing trains on the tokens."""
    folder = tokenizer_folder(context, str(details.get("tokenizer_hash")))
    return {f"tokenizers/{name}": identity for name, identity in _tokenizer_files(folder).items()}


def _tokenizer_files(folder: Folder) -> dict[str, str]:
    return {name: file_identity(folder.file(name)) for name in (TOKENIZER, CONFIG, SPECIAL)}


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
        code=("pipelines.ingest.stage",),
        libraries=lambda _context: READERS,
    ),
    _stage(
        "clean",
        "repair, judge and redact the documents",
        ("documents",),
        ("clean", "rejected"),
        _clean,
        fingerprint=lambda context: digest(lists_fingerprint(context.config.clean), model_hash()),
        code=("pipelines.clean.stage",),
        libraries=lambda _context: CLEANING,
    ),
    REPEATS_STAGE,
    Stage(
        name="dedup",
        purpose="find duplicates, split train from validation",
        sections=("dedup", "decontaminate"),
        inputs=("clean",),
        outputs=("corpus", "duplicates"),
        execute=_dedup,
        fingerprint=sets_fingerprint,
        code=("pipelines.dedup.stage", "pipelines.decontaminate.stage"),
        bound_in=("pipelines.run.optional_stages", "pipelines.run.history"),
        libraries=compared_by,
        artefacts=history_identity,
        instead=lambda context: (cleaned(context),),
    ),
    _stage(
        "tokenize",
        "train the tokenizer, encode the corpus",
        ("corpus",),
        ("tokens",),
        _tokenize,
        fingerprint=lambda context: tokenizer_hash(context.config.tokenize.tokenizer),
        artefacts=_tokenizer_left,
        code=("pipelines.tokenize.stage", "pipelines.tokenize.train", "pipelines.tokenize.choice"),
        libraries=lambda _context: TOKENIZING,
    ),
    MIX_STAGE,
    _stage(
        "pack",
        "pack the tokens into shuffled sequences",
        ("tokens",),
        ("sequences",),
        _pack,
        instead=packed_inputs,
        code=("pipelines.pack.stage", "pipelines.mix.stage"),
        bound_in=("pipelines.run.optional_stages",),
    ),
)
