"""Texts as token ids."""

from pipelines.run.libraries import TOKENIZING
from pipelines.stages.declaration import Accounts, Count, Flag, Stage

TOKENIZE = Stage(
    name="tokenize",
    after="dedup",
    summary="Corpus to tokens; trains the tokenizer.",
    purpose="train the tokenizer, encode the corpus",
    help="Train a byte-level tokenizer on the training split and encode the corpus: table tokens.",
    reads=("corpus",),
    sections=("tokenize", "task"),
    writes=("tokens",),
    may_write=("refused",),
    accounts=Accounts(out=Count("tokens"), rejected=Count("refused", where="part = 0")),
    flags=(Flag("tokenize.model"), Flag("tokenize.vocab_size"), Flag("tokenize.tokenizer")),
    binding="pipelines.bindings.tokenize",
    code=(
        "pipelines.tokenize.stage",
        "pipelines.tokenize.train",
        "pipelines.tokenize.choice",
        "pipelines.tokenize.tasks",
    ),
    libraries=lambda _config: TOKENIZING,
)
