"""The words of a document as Spark ML sees them: split, in lower case, without stop words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.ml.feature import RegexTokenizer, StopWordsRemover

from conf.errors import ConfigError
from conf.features import FeaturesConfig

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LANGUAGES = (
    "danish", "dutch", "english", "finnish", "french", "german", "hungarian",
    "italian", "norwegian", "portuguese", "russian", "spanish", "swedish", "turkish",
)  # fmt: skip
"""Languages for which Spark ML has a list of stop words (StopWordsRemover.loadDefaultStopWords)."""

_LONE = r"\p{IsHan}\p{IsHiragana}\p{IsKatakana}\p{IsThai}\p{IsLao}\p{IsKhmer}\p{IsMyanmar}"

WORD = rf"[{_LONE}]|[\p{{L}}\p{{M}}\p{{N}}\p{{Pc}}&&[^{_LONE}]]+"
"""A word: a run of letters, marks, numbers and connectors, or one character of a script without spaces.

The words of deduplication, so that a lake has one notion of a word for comparing texts."""


def with_words(corpus: DataFrame, config: FeaturesConfig) -> DataFrame:
    """(doc_id, words): the words of each document in their order, stop words left out.

    Args:
        corpus: Columns doc_id and text.
        config: The section `features`.

    Raises:
        ConfigError: Spark ML has no stop words for a language.
    """
    tokenizer = RegexTokenizer(
        inputCol="text", outputCol="all_words", pattern=WORD, gaps=False, toLowercase=True, minTokenLength=1
    )
    remover = StopWordsRemover(inputCol="all_words", outputCol="words", stopWords=stop_words(config))
    return remover.transform(tokenizer.transform(corpus.select("doc_id", "text"))).select("doc_id", "words")


def stop_words(config: FeaturesConfig) -> list[str]:
    """The stop words of the configured languages and the user's own, sorted; needs a Spark session.

    Raises:
        ConfigError: Spark ML has no list for a language.
    """
    unknown = [language for language in config.stop_words if language not in LANGUAGES]
    if unknown:
        raise ConfigError(
            f"features.stop_words: {unknown} have no list; known languages: {', '.join(LANGUAGES)}; "
            "give words of other languages in features.extra_stop_words"
        )
    found = {word.lower() for word in config.extra_stop_words}
    for language in config.stop_words:
        found.update(StopWordsRemover.loadDefaultStopWords(language))
    return sorted(found)
