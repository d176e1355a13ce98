"""Files to documents."""

from pipelines.run.libraries import READERS
from pipelines.stages.declaration import Accounts, Count, Flag, Stage

INGEST = Stage(
    name="ingest",
    summary="Files to documents, quarantine and sources.",
    purpose="read the input files",
    help="Read files into the tables documents, quarantine and sources.\n\n"
    "Each input is read as its extension says, unless --format or a run file of your own says otherwise.\n\n"
    "Example: ringlake ingest --input 'logs/*.jsonl.gz' notes/ --lake lake",
    writes=("sources", "documents", "quarantine"),
    accounts=Accounts(
        into=Count("sources", "records"),
        out=Count("documents"),
        quarantined=Count("quarantine", "records"),
    ),
    flags=(
        Flag("ingest.inputs", "input"),
        Flag("ingest.format"),
        Flag("ingest.text_field"),
        Flag("ingest.id_field"),
        Flag("ingest.target_field"),
        Flag("ingest.label_field"),
        Flag("ingest.label_pattern"),
        Flag("ingest.extractor"),
        Flag("ingest.text_unit"),
    ),
    binding="pipelines.bindings.ingest",
    code=("pipelines.ingest.stage",),
    libraries=lambda _config: READERS,
)
