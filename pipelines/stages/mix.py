"""How often each document is packed."""

from pipelines.stages.declaration import Accounts, Count, Flag, Stage

MIX = Stage(
    name="mix",
    after="tokenize",
    summary="Tokens to mixed: how often each document is packed.",
    purpose="choose how often each document is packed",
    help="Choose how often each document is packed, by the groups of the run file: table mixed.\n\n"
    "pack reads mixed where the configuration has mix.groups.",
    reads=("tokens", "corpus"),
    writes=("mixed",),
    accounts=Accounts(out=Count("mixed", where="copies > 0"), rejected=Count("mixed", where="copies = 0")),
    flags=(Flag("mix.token_budget"), Flag("mix.max_repeats")),
    enabled=lambda config: bool(config.mix.groups),
    binding="pipelines.bindings.mix",
    code=("pipelines.mix.stage",),
)
