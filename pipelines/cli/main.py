"""The command line: every command, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings

import typer

from conf import ConfigError
from conf.urls import without_secrets
from pipelines.cli import (
    compare,
    demo,
    export,
    extensions,
    forget,
    look,
    predict,
    sample,
    set_up,
    ship,
    stages,
    trace,
)
from pipelines.console.console import printable
from pipelines.errors import RinglakeError, StageFailedError
from pipelines.run.version import code_version
from ringlake.base.extensions import ExtensionError

EPILOG = """
Exit codes: 0 done; 1 unexpected error; 2 wrong command line, run file or key; 3 input missing, empty or
unusable; 4 the machine or the cluster lacks something (memory, disk, slots, a jar, a lake that nobody else
holds), or an extension cannot be used; 5 a stage failed for a reason that may pass (a lost executor, rank or
connection); 6 ingest kept nothing, or lost more records than ingest.max_quarantined_share; 7 a stage failed
on its data or settings, or verify found that a training was not as planned; 130 interrupted. A retry helps
after 5 and 130, and after 4 once there is what the message names; 1, 2, 3, 6 and 7 would come again.
A run goes on where it stopped.
"""

INTERRUPTED = 130

_SPARK = "pip install 'ringlake[spark]', or run where a platform has a Spark of its own"
_BROUGHT = {"pyspark": _SPARK, "delta": _SPARK} | dict.fromkeys(
    ("petastorm", "icu4py", "horovod"), "`ringlake setup` brings it"
)
"""Packages that ringlake's own requirements leave out, and what brings them."""

app = typer.Typer(
    name="ringlake",
    help="Raw text to a trained language model on one Spark cluster.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
stages.register(app)
look.register(app)
trace.register(app)
compare.register(app)
forget.register(app)
sample.register(app)
predict.register(app)
demo.register(app)
set_up.register(app)
ship.register(app)
export.register(app)
extensions.register(app)


@app.command(short_help="Release and source hash.")
def version() -> None:
    """Print the version of ringlake and of the sources it runs from."""
    typer.echo(code_version())


def main(argv: list[str] | None = None) -> None:
    """Entry point of the command: runs it and exits."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: list[str]) -> int:
    """Runs the command and returns its exit code; errors end in one message on standard error."""
    _quiet_libraries()
    try:
        app(args=argv, prog_name="ringlake")
        return 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code == INTERRUPTED:
            _say("ringlake: interrupted; the same command goes on from the last finished stage")
        return code
    except ConfigError as error:
        return _fail(error, 2, argv)
    except (RinglakeError, ExtensionError) as error:
        return _fail(error, error.exit_code, argv)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: that is no error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last resort of the process
        if isinstance(error, ModuleNotFoundError) and (remedy := _BROUGHT.get(error.name or "")):
            return _fail(error, 4, argv, f"this Python has no {error.name}: {remedy}")
        message = f"unexpected {type(error).__name__}: {error}; run with --traceback and report it"
        return _fail(error, 1, argv, message)


def _fail(error: BaseException, code: int, argv: list[str], message: str | None = None) -> int:
    if "--traceback" in argv:
        # An error that a library raised may name the URL as it was given.
        _write(without_secrets("".join(traceback.format_exception(error))))
    text = without_secrets(message or str(error))
    hint = (
        ""
        if "--traceback" in argv or not isinstance(error, StageFailedError)
        else " (--traceback shows where)"
    )
    _say(f"ringlake: error: {text}{hint}")
    return code


def _say(line: str) -> None:
    _write(printable(line) + "\n")


def _write(text: str) -> None:
    """Write to standard error; where its reader has gone, the exit code alone tells what has happened."""
    try:
        typer.echo(text, err=True, nl=False)
    except BrokenPipeError:
        # Else Python would try again when it ends, and put an exit code of its own in place of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _quiet_libraries() -> None:
    """Warnings of libraries about themselves are not for the user of a command."""
    if "--traceback" not in sys.argv:
        warnings.filterwarnings("ignore")
        logging.getLogger("py4j").setLevel(logging.CRITICAL)
        # It also writes the traceback of an interrupted call to the root logger.
        logging.getLogger().addFilter(lambda record: record.module != "java_gateway")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")


if __name__ == "__main__":
    main()
