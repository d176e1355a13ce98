"""One document of each group of duplicates, in its split."""

from pipelines.run.libraries import CLEANING, COMPARING
from pipelines.stages.declaration import Accounts, Count, Flag, Stage

DEDUP = Stage(
    name="dedup",
    after="repeats",
    summary="Clean to corpus and duplicates; split.",
    purpose="find duplicates, split train from validation",
    help="Remove duplicates and split train from validation: tables corpus and duplicates.\n\n"
    "With --decontaminate FILE..., survivors that overlap an evaluation set go to table contaminated.\n\n"
    "With --history, also those of earlier batches, and the table superseded.\n\n"
    "Example: ringlake dedup --lake lakes/monday --history lakes/history",
    sections=("dedup", "decontaminate"),
    reads=("clean",),
    reads_with=lambda config: ("clean",) if config.repeats.unit is None else ("trimmed",),
    may_read=("trimmed",),
    writes=("corpus", "duplicates"),
    may_write=("contaminated", "superseded", "signatures"),
    accounts=Accounts(out=Count("corpus"), rejected=Count("contaminated"), duplicate=Count("duplicates")),
    flags=(
        Flag("decontaminate.sets", "decontaminate"),
        Flag("dedup.method"),
        Flag("dedup.url"),
        Flag("dedup.unit"),
        Flag("dedup.ngram"),
        Flag("dedup.bands"),
        Flag("dedup.rows"),
        Flag("dedup.seed"),
        Flag("dedup.verify_threshold", "verify"),
        Flag("dedup.keep"),
        Flag("dedup.history"),
        Flag("dedup.batch"),
        Flag("dedup.validation_fraction"),
    ),
    binding="pipelines.bindings.dedup",
    code=("pipelines.dedup.stage", "pipelines.decontaminate.stage", "pipelines.clean.forms"),
    # The texts of evaluation sets are made like the documents.
    libraries=lambda config: CLEANING if config.decontaminate.sets else COMPARING,
)
