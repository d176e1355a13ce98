"""What a person reads of a run."""

from pipelines.stages.declaration import Flag, Stage

REPORT = Stage(
    name="report",
    after="generate",
    summary="Draw report.html, and write the model's README.",
    purpose="draw the report",
    help="Draw the self-contained report.html of the lake, and write the README of its model anew.",
    sections=("report", "card", "cost"),
    flags=(Flag("card.model_license"),),
    is_reported=False,
    binding="pipelines.bindings.report",
    code=("pipelines.report.build", "training.models.card.render"),
)
