"""What whoever gets the corpus reads of it."""

from pipelines.stages.declaration import Flag, Stage

CARD = Stage(
    name="card",
    after="report",
    summary="Write card.md and dataset_card.json.",
    purpose="write the dataset card",
    help="Write the dataset card of the lake: card.md and dataset_card.json.",
    flags=(Flag("card.license"), Flag("card.contact")),
    enabled=lambda config: config.card.license is not None,
    is_reported=False,
    binding="pipelines.bindings.card",
    code=("pipelines.card.build",),
)
