"""Words, their weights, and vectors."""

from pipelines.run.libraries import FEATURES as LIBRARIES
from pipelines.stages.declaration import Accounts, Count, Flag, Stage

FEATURES = Stage(
    name="features",
    after="pack",
    summary="Words, TF-IDF and vectors of the corpus.",
    purpose="words, TF-IDF and vectors of the corpus",
    help="Count the words of the corpus without stop words, weigh them, and train vectors of words "
    "or of tokens: tables terms, tfidf and vectors.\n\nVectors of tokens can start a model's embeddings: "
    "--set model.embeddings=features.",
    reads=("corpus", "tokens"),
    writes=("terms", "tfidf", "vectors"),
    accounts=Accounts(out=Count("tfidf")),
    flags=(Flag("features.unit"), Flag("features.vector_size")),
    enabled=lambda config: config.features.enabled,
    binding="pipelines.bindings.features",
    code=("pipelines.features.stage", "pipelines.features.embeddings", "pipelines.features.vectors"),
    libraries=lambda _config: LIBRARIES,
)
