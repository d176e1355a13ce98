"""Documents, repaired and judged."""

from pipelines.run.libraries import CLEANING
from pipelines.stages.declaration import Accounts, Count, Flag, Stage

CLEAN = Stage(
    name="clean",
    after="ingest",
    summary="Documents to clean and rejected.",
    purpose="repair, judge and redact the documents",
    help="Repair and judge the documents: tables clean and rejected.\n\n"
    "A rejected document keeps the rule, the value measured and the threshold. Profiles: {profiles}.\n\n"
    "Example: ringlake clean --profile gopher-quality --explain page.txt",
    reads=("documents",),
    writes=("clean", "rejected"),
    accounts=Accounts(out=Count("clean"), rejected=Count("rejected")),
    flags=(
        Flag("clean.profile"),
        Flag("clean.languages", "language"),
        Flag("clean.url_blocklist"),
        Flag("clean.privacy.phone_regions", "phone-region"),
        Flag("clean.privacy.national_ids", "national-id"),
    ),
    binding="pipelines.bindings.clean",
    code=("pipelines.clean.stage",),
    libraries=lambda _config: CLEANING,
)
