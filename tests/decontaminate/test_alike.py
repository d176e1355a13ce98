"""Overlap that repair, redaction, steps or characters that nobody sees must not hide."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conf.clean import CleanConfig, PrivacyConfig
from conf.decontaminate import DecontaminateConfig
from pipelines.clean.forms import CleanedForms
from pipelines.clean.judge import Judge, Kept
from pipelines.decontaminate.index import build_index, search
from tests.decontaminate.support import write_jsonl

TEXT = "Wer über die schöne Brücke am Fluß geht, sieht dort drüben fünf weiße Häuser und drei Kähne liegen"
MAIL = (
    "Whoever wants the seven maps writes to jo@example.org before the last of May or calls +44 20 7930 4832"
)
SHORT_MAIL = "Please write to jo@example.org about the old maps"
LINES = "Which of two rivers is longer\nHome | News | Sport | Contact\nand where does it meet the other today"

FORMS = {
    "as it is": TEXT,
    "NFD": unicodedata.normalize("NFD", TEXT),
    "mojibake": TEXT.encode().decode("cp1252"),
    "zero width": TEXT.replace("ö", "ö\u200b").replace("Fluß", "Fl\u00aduß").replace("ü", "u\u200d\u0308"),
}


def found(tmp_path: Path, item: str, document: str, clean: dict[str, Any]) -> bool:
    """Whether a document that was cleaned so is found by an evaluation text."""
    path = write_jsonl(tmp_path / "set.jsonl", [{"id": 1, "t": item}])
    config = DecontaminateConfig.model_validate({"sets": [path]})
    cleaned = CleanConfig(**clean)
    kept = Judge(cleaned).judge(document)
    assert isinstance(kept, Kept)
    index, _ = build_index(config, CleanedForms(cleaned))
    return bool(search(pa.array([kept.text, "nothing of it is here"]), index, config))


@pytest.mark.parametrize("repair", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_either_side_hides_nothing(tmp_path: Path, form: str, repair: bool) -> None:
    clean = {"profile": "none", "repair": repair}
    assert found(tmp_path, FORMS[form], f"So: {TEXT}.", clean)
    assert found(tmp_path, TEXT, f"So: {FORMS[form]}.", clean)


@pytest.mark.parametrize(
    "privacy",
    [
        {},
        {"email": "off"},
        {"phone": "off", "email": "off"},
        {"email": "reject"},
    ],
)
@pytest.mark.parametrize("item", [MAIL, SHORT_MAIL])
@pytest.mark.parametrize("profile", ["none", "pii-only"])
def test_redaction_hides_nothing(tmp_path: Path, privacy: dict[str, Any], item: str, profile: str) -> None:
    clean: dict[str, Any] = {"profile": profile, "privacy": PrivacyConfig(**privacy)}
    if "reject" in privacy.values():
        # A document with more than one address is turned away, one with one stays, redacted.
        clean["thresholds"] = {"privacy.email.max": 1}
    assert found(tmp_path, item, f"It says: {item}. And so on.", clean)


def test_steps_that_drop_lines_hide_nothing(tmp_path: Path) -> None:
    clean = {"profile": "none", "rules": ("boilerplate.lines",)}
    assert found(tmp_path, LINES, LINES, clean)
    per_language = {"profile": "none", "per_language": {"en": {"rules": ("boilerplate.lines",)}}}
    assert found(tmp_path, LINES, LINES, per_language)


def test_placeholders_alone_are_no_overlap(tmp_path: Path) -> None:
    addresses = [f"user{n}@example.org" for n in range(40)]
    item, document = " ".join(addresses[:20]), " ".join(addresses[20:])
    assert not found(tmp_path, item, document, {"profile": "none"})
    assert found(tmp_path, item, item, {"profile": "none", "privacy": PrivacyConfig(email="off")})


def test_where_cleaning_is_not_known_documents_are_repaired_and_both_forms_looked_for(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "set.jsonl", [{"id": 1, "t": TEXT}, {"id": 2, "t": MAIL}])
    config = DecontaminateConfig.model_validate({"sets": [path]})
    index, _ = build_index(config, CleanedForms())
    redacted = MAIL.replace("jo@example.org", "[EMAIL]").replace("+44 20 7930 4832", "[PHONE]")
    hits = search(pa.array([*FORMS.values(), MAIL, redacted, None]), index, config)
    assert [hit.row for hit in hits] == [0, 1, 2, 3, 4, 5]
