"""`ringlake trace` and `ringlake verify`: what a model saw, where it came from, and proof of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.given import content_of
from pipelines.cli.stages import LakeOption, TraceOption
from pipelines.errors import InputError, VerificationError

if TYPE_CHECKING:
    from pipelines.lake import Lake

MAX_TEXT_BYTES = 64 << 20
"""Largest text that is looked for."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command(name="trace", short_help="Which documents a step held, which models saw a document.")(_trace)
    app.command(name="verify", short_help="Certify that a training read exactly its planned batches.")(
        _verify
    )


def _trace(
    lake: LakeOption = "lake",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="A model folder, or a training by its key or run id; default: the lake's model for --step, "
            "every training for documents.",
            metavar="MODEL",
        ),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option("--step", help="The documents of this global batch; the first is 1.", metavar="N"),
    ] = None,
    document: Annotated[
        str | None, typer.Option("--document", help="What became of a document.", metavar="ID")
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            "--text",
            help="The same of the documents with the text of a file; - is standard input.",
            metavar="FILE",
        ),
    ] = None,
    generated: Annotated[
        str | None,
        typer.Option(
            "--generated",
            help="The training documents that share the longest passages with a text; - is standard input.",
            metavar="TEXT",
        ),
    ] = None,
    by_source_id: Annotated[
        bool, typer.Option("--source-id", help="ID is the document's own, its source_id.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="With --generated: most documents.")] = 10,
    as_json: JsonOption = False,
    traceback: TraceOption = False,
) -> None:
    """Trace a step of a training to raw files, or a document or a text to the steps and models that saw it.

    Example: ringlake trace --lake lake --step 700
    """
    asked = {"--step": step, "--document": document, "--text": text, "--generated": generated}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        raise typer.BadParameter(f"give one of {', '.join(asked)}, not {' and '.join(given) or 'none'}")
    if by_source_id and document is None:
        raise typer.BadParameter("--source-id says what the ID of --document is; leave it out")
    from pipelines.lake import Lake

    place = Lake.at(lake)
    place.require()
    if step is not None:
        from pipelines.trace.step import trace_step
        from pipelines.trace.trainings import choose

        found = trace_step(choose(place, model), step)
    elif generated is not None:
        found = _of_generated(place, _text_of(generated), model, limit)
    else:
        found = _of_documents(place, document, text, model, by_source_id=by_source_id)
    if as_json:
        typer.echo(_as_json(found))
    else:
        from pipelines.cli.traced import shown

        typer.echo(shown(found))


def _of_documents(
    place: Lake, document: str | None, text: str | None, model: str | None, *, by_source_id: bool
) -> dict[str, Any]:
    from pipelines.trace.document import ids_of, trace_documents
    from pipelines.trace.trainings import choose

    only = None if model is None else choose(place, model)
    if document is not None:
        ids = ids_of(place, document, by_source_id=by_source_id)
        found = trace_documents(place, ids, only)
        if not any(each["tables"] or each["sequences"] for each in found["documents"]):
            from pipelines.lake.erasures import erasure_of

            what = "source_id" if by_source_id else "doc_id"
            if (erasure := erasure_of(place, document, what)) is not None:
                raise InputError(
                    f"the document with {what} {document!r} was forgotten by erasure {erasure.erasure_id} of "
                    f"{erasure.requested_at:%Y-%m-%d}; the register says what had seen it: ringlake show "
                    f"{place.location} erasures"
                )
            other = "" if by_source_id else "; with --source-id, ID is the document's own"
            raise InputError(
                f"no version of any table of the lake {place.location} has a document with {what} "
                f"{document!r}{other}"
            )
        return found
    from pipelines.trace.text import find_text

    assert text is not None
    there = find_text(place, _read(text))
    found = trace_documents(place, there.doc_ids, only)
    found["quarantined"] = list(there.quarantined)
    found["cleaning"] = there.cleaning
    return found


def _of_generated(place: Lake, text: str, model: str | None, limit: int) -> dict[str, Any]:
    from pipelines.console.console import Console
    from pipelines.trace.generated import trace_generated
    from pipelines.trace.trainings import choose

    return trace_generated(place, text, None if model is None else choose(place, model), limit, Console().say)


def _verify(
    model: Annotated[
        str | None, typer.Argument(help="Model folder, or a lake, whose model it then is.", metavar="MODEL")
    ] = None,
    lake: Annotated[
        str | None,
        typer.Option("--lake", help="Lake that it was trained in; default: that of MODEL.", metavar="PATH"),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", help="Write the certificate to a file too.", metavar="FILE")
    ] = None,
    certificate: Annotated[
        str | None,
        typer.Option(
            "--certificate",
            help="Check a certificate instead: alone, or against MODEL; no lake is needed.",
            metavar="FILE",
        ),
    ] = None,
    as_json: JsonOption = False,
    traceback: TraceOption = False,
) -> None:
    """Replay plan, log and checkpoints of a training, and certify that it read exactly the planned batches.

    It exits with code 7 where something differs, and says what.

    Example: ringlake verify lake/model --out certificate.json
    """
    from pipelines.trace.certificate import check_certificate, read_certificate, write_certificate

    if certificate is not None:
        if lake is not None or out is not None:
            raise typer.BadParameter(
                "--certificate needs no lake and writes none; leave out --lake and --out"
            )
        found = check_certificate(read_certificate(certificate), model)
    else:
        if model is None:
            raise typer.BadParameter("name a model folder, e.g. lake/model, or a lake")
        # Here and not above: it takes torch, which a certificate alone does not need.
        from pipelines.trace.verify import verify_model

        found = verify_model(model, lake)
        if out is not None:
            write_certificate(found, out)
    if as_json:
        typer.echo(_as_json(found))
    else:
        from pipelines.cli.traced import shown_certificate

        typer.echo(shown_certificate(found))
    failed = [check for check in found["checks"] if not check["passed"]]
    if failed:
        raise VerificationError(
            f"{len(failed)} of {len(found['checks'])} checks failed: "
            + "; ".join(f"{check['name']}: {check['detail']}" for check in failed)
        )


def _as_json(found: dict[str, Any]) -> str:
    """JSON without control characters but for line feeds, so that no text can steer a terminal."""
    text = json.dumps(found, indent=1, ensure_ascii=False, default=str)
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def _text_of(given: str) -> str:
    if given != "-":
        return given
    try:
        return _read("-").decode()
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is no UTF-8 at byte {error.start}") from None


def _read(name: str) -> bytes:
    too_long = f"{name!r} has more than the {MAX_TEXT_BYTES:,} bytes that a text may have here"
    return content_of("--text", name, MAX_TEXT_BYTES, too_long)
