"""Texts by the model. The command `ringlake generate` takes prompts and needs no run."""

from pipelines.stages.declaration import Flag, Stage

GENERATE = Stage(
    name="generate",
    after="evaluate",
    summary="Continue a prompt with the model.",
    purpose="let the model continue the prompts",
    sections=("generate", "task"),
    flags=(
        Flag("generate.max_new_tokens"),
        Flag("generate.temperature"),
        Flag("generate.top_k"),
        Flag("generate.top_p"),
        Flag("generate.repetition_penalty"),
        Flag("generate.beams"),
        Flag("generate.stop"),
        Flag("generate.seed"),
    ),
    binding="pipelines.bindings.generate",
    code=("training.generate",),
)
