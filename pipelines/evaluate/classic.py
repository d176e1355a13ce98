"""The classifier that one could have had without a neural network: words, TF-IDF, logistic regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import IDF, HashingTF, StringIndexer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FEATURES = 2**17
"""Places of the hashed words; the corpora that are classified have some 10,000 to 100,000 different ones."""

PENALTY = 0.01
"""Weight of the squared coefficients, as scikit-learn's C = 1 is for 100 texts; with the default of Spark ML,
0, the training texts are learned by heart."""

ITERATIONS = 100


def classic_labels(train: DataFrame, validation: DataFrame) -> dict[str, str]:
    """The labels that a regression on the words of the training texts tells, by doc_id.

    Args:
        train: Columns words and label.
        validation: Columns doc_id and words.
    """
    indexer = StringIndexer(inputCol="label", outputCol="index", stringOrderType="alphabetAsc").fit(train)
    stages: list[Any] = [
        HashingTF(inputCol="words", outputCol="counts", numFeatures=FEATURES),
        IDF(inputCol="counts", outputCol="features"),
        LogisticRegression(labelCol="index", regParam=PENALTY, maxIter=ITERATIONS),
    ]
    model = Pipeline(stages=stages).fit(indexer.transform(train))
    names = indexer.labels
    rows = model.transform(validation).select("doc_id", "prediction").collect()
    return {row["doc_id"]: names[int(row["prediction"])] for row in rows}
