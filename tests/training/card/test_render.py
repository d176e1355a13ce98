"""What the README of a model says: versions, recipe, scores, limits, licence; hostile names stay text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from conf.card import CardConfig
from conf.model import ModelConfig
from conf.task import TaskName
from ringlake.base.markdown import escaped
from tests.training.card.models import LABELS, TASKS, export, task_of
from training.models.card.facts import base_name
from training.models.card.render import render

HOSTILE = '<script>|`*[x](javascript:0)\n---\nlicense: mit\n# "\u202e\x1b[31m'
SCORES: dict[str, Any] = {
    "task": "translation",
    "examples": 1234,
    "not_answered": {"too_long": 3},
    "sequences_version": 7,
    "metrics": {"bleu": 12.3456, "chrf": None},
    "baselines": {HOSTILE: {"bleu": 1.5, "chrf": 2.0}},
    "signature": "nrefs:1|case:mixed|tok:zh",
}
OF_A_LANGUAGE_MODEL: dict[str, Any] = {
    "metrics": {"loss": 2.5, "perplexity": 12.18, "bits_per_byte": 1.75},
    "model": {"loss": 2.5, "perplexity": 12.18, "bits_per_byte": 1.75},
    "before": {"loss": 3.5, "bits_per_byte": 2.45},
    "unigram": {"loss": 5.5, "bits_per_byte": 3.9},
    "bigram": {"loss": 4.5, "bits_per_byte": 3.15},
    "sequences": 40,
    "sequences_version": 2,
    "targets": 5000,
    "bytes": 7000,
}


def facts(**changes: Any) -> dict[str, Any]:
    return {
        "task": "translation",
        "summary": "turns text into target",
        "verb": "translate",
        "what": "translation model",
        "kind": "seq2seq",
        "pipeline": "translation",
        "model_type": "marian",
        "weights": 1234567,
        "longest": 128,
        "name": HOSTILE,
        "base": HOSTILE,
        "base_is_a_name": True,
        "code": "0.1.0+src.abc",
        "languages": ["en", HOSTILE, "und", "zh"],
        "data": [
            {"lake": 0, "table": "sequences", "version": 3, "rows": 1000},
            {"lake": 1, "table": HOSTILE, "version": 4, "rows": 5},
        ],
        "weights_of_lakes": ["3", "0.5"],
        "recipe": {"task": "translation", "seed": HOSTILE},
        "training": {"steps": 400},
        **changes,
    }


def parts(page: str) -> tuple[dict[str, Any], str]:
    _, matter, text = page.split("---\n", 2)
    value = yaml.safe_load(matter)
    assert isinstance(value, dict)
    return value, text


def test_hostile_names_stay_text() -> None:
    terms = CardConfig(
        model_license="other", model_license_name=HOSTILE[:60], contact=HOSTILE, license=HOSTILE
    )
    matter, text = parts(render(facts(labels=[HOSTILE], num_labels=9), terms, SCORES))
    assert matter["license"] == "other"
    assert matter["license_name"].startswith("<script>|`*[x](javascript:0) --- license: mit")
    assert matter["language"] == ["en", "zh"]
    assert "base_model" not in matter
    assert not set("\x1b\u202e") & set(text)
    assert "<script>" not in text and "](" not in text.replace("logits[0](", "")
    assert [line for line in text.splitlines() if line.startswith("# ")] == [f"# {escaped(HOSTILE)}"]
    inside = False
    for line in text.splitlines():
        inside ^= line.startswith("```")
        if line.startswith("|") and not inside:
            assert line.replace("\\|", "").count("|") in (3, 4, 5), line
    assert "and 8 more" in text


def test_it_says_versions_recipe_scores_and_limits() -> None:
    _, text = parts(render(facts(), CardConfig(), SCORES))
    for told in (
        "| its own (weight 3) | sequences | 3 | 1,000 |",
        "| mixed in, 1 (weight 0.5) |",
        "| steps | 400 |",
        "| this model | 12.346 | – |",
        "1,234 examples of the validation split were asked, of version 7 of `sequences`.",
        "`nrefs:1|case:mixed|tok:zh`",
        "counted as wrong: too\\_long 3.",
        "not tested for fairness",
        "at most 128 tokens",
        "no pipeline",
    ):
        assert told in text
    _, text = parts(render(facts(), CardConfig()))
    assert "Not evaluated yet" in text


def test_what_a_task_says_of_its_models_is_shown_and_what_it_does_where_it_says_nothing() -> None:
    _, text = parts(render(facts(use=f"It helps. {HOSTILE}", limits=["It errs."]), CardConfig()))
    assert "\nIt helps. " in text and "- It errs.\n" in text and "<script>" not in text
    _, text = parts(render(facts(), CardConfig()))
    assert "\nIt turns text into target.\n" in text


def test_a_language_model_stands_beside_what_it_was_and_what_only_counts() -> None:
    _, text = parts(render(facts(verb="generate"), CardConfig(), OF_A_LANGUAGE_MODEL))
    rows = [line for line in text.partition("## Scores")[2].splitlines() if line.startswith("|")]
    assert rows[0] == "|  | loss (nats per target) | perplexity | bits per byte |"
    assert rows[2:6] == [
        "| this model | 2.500 | 12.180 | 1.750 |",
        "| the model that training began with | 3.500 | – | 2.450 |",
        "| bigram | 4.500 | – | 3.150 |",
        "| unigram | 5.500 | – | 3.900 |",
    ]


def test_the_licence_is_the_run_files_or_not_stated() -> None:
    matter, text = parts(render(facts(), CardConfig()))
    assert "license" not in matter
    assert "Not stated." in text and "`card.model_license`" in text
    matter, text = parts(render(facts(), CardConfig(model_license="Apache-2.0", license="cc-by-4.0")))
    assert matter["license"] == "apache-2.0"
    assert "Apache\\-2.0." in text and "The corpus: cc\\-by\\-4.0." in text


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"model_license": "other"}, "name it in model_license_name"),
        ({"model_license": "mit", "model_license_name": "Own"}, "is for model_license = 'other'"),
        ({"model_license_name": "Own"}, "is for model_license = 'other'"),
        ({"model_license": "free for all who ask"}, "should match pattern"),
        ({"model_license": "a\n"}, "should match pattern"),
    ],
)
def test_a_licence_that_says_nothing_is_refused(keys: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        CardConfig(**keys)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("/home/me/models/MiniLM/", "MiniLM"),
        ("s3://me:secret@bucket/models/base?token=secret", "base"),
        ("MiniLM", "MiniLM"),
        (None, None),
    ],
)
def test_of_a_start_only_its_name_is_told(place: str | None, name: str | None) -> None:
    assert base_name(ModelConfig(pretrained=place)) == name


def test_a_start_is_a_hubs_model_only_where_it_is_a_name() -> None:
    named = facts(base="MiniLM", base_is_a_name=True)
    assert parts(render(named, CardConfig()))[0]["base_model"] == "MiniLM"
    assert "base_model" not in parts(render({**named, "base_is_a_name": False}, CardConfig()))[0]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_card(name: TaskName, tmp_path: Path) -> None:
    matter, text = parts((export(name, tmp_path, model_license="mit") / "README.md").read_text("utf-8"))
    assert matter["license"] == "mit"
    assert matter["library_name"] == "transformers"
    assert task_of(name).use[:40] in text and len(task_of(name).limits) > 1
    for title in ("Opening it", "What it is for", "Limits", "Scores", "Licence"):
        assert f"\n## {title}\n" in text
    assert str(tmp_path) not in text
    if name == "classification":
        for label in LABELS:
            assert escaped(label) in text
