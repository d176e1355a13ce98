"""Lines and paragraphs that many documents share, dropped."""

from pipelines.run.libraries import COMPARING
from pipelines.stages.declaration import Accounts, Count, Flag, Stage

REPEATS = Stage(
    name="repeats",
    after="clean",
    summary="Clean to trimmed: drop what many documents share.",
    purpose="drop lines or paragraphs that many documents share",
    help="Drop lines or paragraphs that many documents share: tables trimmed, emptied and repeats.\n\n"
    "dedup reads trimmed where the configuration has repeats.unit.\n\n"
    "Example: ringlake repeats --unit line --lake lake && "
    "ringlake dedup --set repeats.unit=line --lake lake",
    reads=("clean",),
    writes=("trimmed", "emptied", "repeats"),
    accounts=Accounts(out=Count("trimmed"), rejected=Count("emptied")),
    flags=(
        Flag("repeats.unit"),
        Flag("repeats.min_documents"),
        Flag("repeats.min_words"),
        Flag("repeats.keep"),
    ),
    enabled=lambda config: config.repeats.unit is not None,
    work="pipelines.repeats.stage:repeats",
    libraries=lambda _config: COMPARING,
)
