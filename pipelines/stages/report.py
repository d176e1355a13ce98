"""What a person reads of a run."""

from pipelines.stages.declaration import Stage

REPORT = Stage(
    name="report",
    after="generate",
    summary="Draw report.html.",
    purpose="draw the report",
    help="Draw the self-contained report.html of the lake.",
    is_reported=False,
    binding="pipelines.bindings.report",
    code=("pipelines.report.build",),
)
