"""Tokens as shuffled sequences of one length."""

from pipelines.stages.declaration import Flag, Stage

PACK = Stage(
    name="pack",
    after="mix",
    summary="Tokens to shuffled sequences.",
    purpose="pack the tokens into shuffled sequences",
    help="Pack tokens into shuffled fixed-length sequences: table sequences.",
    reads=("tokens",),
    reads_with=lambda config: ("tokens", "mixed") if config.mix.groups else ("tokens",),
    may_read=("mixed",),
    writes=("sequences",),
    flags=(Flag("pack.sequence_length"), Flag("pack.method")),
    binding="pipelines.bindings.pack",
    code=("pipelines.pack.stage", "pipelines.pack.examples", "pipelines.mix.stage"),
)
