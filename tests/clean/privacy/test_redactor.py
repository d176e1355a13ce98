"""All kinds together: modes, order, the cheap look in front, and time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from conf import ConfigError, load
from conf.clean import CleanConfig, PrivacyConfig
from pipelines.clean.judge import BLANK, Judge, Kept, Refused
from pipelines.clean.privacy.fold import fold
from pipelines.clean.privacy.redactor import Redactor
from pipelines.clean.privacy.traits import FOLDABLE, traits
from pipelines.text.personal_data import KINDS, PLACEHOLDERS

CONFIG = PrivacyConfig(
    phone_regions=("US", "DE", "CN"), national_ids=("us.ssn", "es.nif", "cn.ric", "gb.nhs")
)
EVERYTHING = Redactor(CONFIG)

SAMPLES = {
    "private_key": "-----BEGIN PRIVATE KEY-----\nAbC=\n-----END PRIVATE KEY-----",
    "api_key": "ghp_" + "aB3d" * 9,
    "email": "jo@example.org",
    "iban": "DE89370400440532013000",
    "credit_card": "4111 1111 1111 1111",
    "national_id": "536-90-4399",
    "ip_address": "8.8.8.8",
    "phone": "+44 20 7930 4832",
}
TEXT = " and ".join(SAMPLES.values())

PIECES = st.sampled_from(
    [
        *SAMPLES.values(),
        *("212-736-5000", "13800138000", "54362315K", "2606:4700::1111", "eyJ", "Bearer ", "-----BEGIN "),
        *(
            "1",
            "0",
            "7",
            "８",
            "٣",
            "A",
            "z",
            "@",
            ".",
            ":",
            "-",
            "+",
            " ",
            "/",
            "(",
            ")",
            "\n",
            "\u00a0",
            "_",
            "文",
        ),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=24).map("".join))


def test_every_kind_has_its_placeholder_and_count() -> None:
    found = EVERYTHING.redact(TEXT)
    assert found.text == " and ".join(PLACEHOLDERS[kind] for kind in SAMPLES)
    assert found.counts == dict.fromkeys(KINDS, 1)
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_is_off_stays_and_the_others_go(kind: str) -> None:
    found = Redactor(CONFIG.model_copy(update={kind: "off"})).redact(TEXT)
    assert kind not in found.counts
    assert PLACEHOLDERS[kind] not in found.text


@pytest.mark.parametrize("kind", KINDS)
def test_reject_turns_the_document_away_with_the_count(kind: str) -> None:
    judge = Judge(CleanConfig(profile="none", privacy=CONFIG.model_copy(update={kind: "reject"})))
    decision = judge.judge(f"{SAMPLES[kind]} or {SAMPLES[kind]}", target=SAMPLES[kind])
    assert isinstance(decision, Refused)
    assert (decision.rule, decision.value, decision.threshold, decision.comparison) == (
        f"privacy.{kind}.max",
        3,
        0,
        ">",
    )
    assert isinstance(judge.judge("nothing of it"), Kept)


def test_the_threshold_of_a_rejecting_kind_can_be_set() -> None:
    config: dict[str, Any] = {"profile": "none", "thresholds": {"privacy.email.max": 1}}
    judge = Judge(CleanConfig(**config, privacy=PrivacyConfig(email="reject")))
    one = judge.judge("jo@example.org")
    assert isinstance(one, Kept)
    assert one.text == "[EMAIL]"
    assert isinstance(judge.judge("jo@example.org jim@example.org"), Refused)
    with pytest.raises(ConfigError, match="of this run"):
        Judge(CleanConfig(**config))


def test_both_sides_of_a_pair_are_repaired_and_redacted() -> None:
    decision = Judge(CleanConfig(profile="none")).judge(
        "Mail jo@example.org", target="Schreib jo@example.org \r\n"
    )
    assert isinstance(decision, Kept)
    assert (decision.text, decision.target) == ("Mail [EMAIL]", "Schreib [EMAIL]")
    assert (decision.pii, decision.num_repairs) == ({"email": 2}, 3)


def test_pii_only_changes_nothing_else() -> None:
    decision = Judge(CleanConfig(profile="pii-only")).judge("\r\n\r\n\r\n\r\n jo@example.org \x00")
    assert isinstance(decision, Kept)
    assert (decision.text, decision.measures) == ("\r\n\r\n\r\n\r\n [EMAIL] \x00", {})


def test_modes_in_a_run_file_may_be_yamls_off_and_on() -> None:
    privacy = load(overrides=["clean.privacy={email: off, phone: on, iban: reject}"]).clean.privacy
    assert (privacy.email, privacy.phone, privacy.iban) == ("off", "redact", "reject")
    with pytest.raises(ValidationError):
        PrivacyConfig(email="maybe")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"national_ids": ("us.snn",)}, r"us\.ssn"),
        ({"national_ids": ("os.path",)}, "names look like"),
        ({"national_ids": ("",)}, "names look like"),
        ({"phone_regions": ("EU",)}, "ISO 3166-1"),
    ],
)
def test_mistakes_are_met_with_what_is_known(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Redactor(PrivacyConfig(**config))


@given(TEXTS)
def test_the_look_in_front_hides_nothing_from_any_detector(text: str) -> None:
    has = traits(text)
    folded = fold(text)
    assert len(folded) == len(text)
    if folded != text and any(map(str.isdecimal, folded)):
        for detector in EVERYTHING._detectors:
            if list(detector.find(folded)) and not list(detector.find(text)):
                assert has & FOLDABLE or max(text) > "\uffff"
    for detector in EVERYTHING._detectors:
        if list(detector.find(text)):
            assert has & detector.needs == detector.needs, detector.kind


ALONE = {
    kind: Redactor(CONFIG.model_copy(update=dict.fromkeys(set(KINDS) - {kind}, "off"))) for kind in KINDS
}


@pytest.mark.parametrize("kind", KINDS)
@given(TEXTS)
def test_looking_again_finds_nothing_of_any_kind_alone(kind: str, text: str) -> None:
    found = ALONE[kind].redact(text)
    again = ALONE[kind].redact(found.text)
    assert (again.text, again.counts) == (found.text, {})


JOINED = st.sampled_from(["", ",", "-", " ", ".", "/", "+", "_", ":", ";", "@", "\n"])


@given(st.sampled_from([*SAMPLES.values(), "+12127365000", "212-736-5000"]), JOINED, st.integers(2, 30))
def test_joined_values_are_settled_in_one_redaction(value: str, joint: str, number: int) -> None:
    found = EVERYTHING.redact(joint.join([value] * number))
    assert EVERYTHING.redact(found.text) == type(found)(found.text)


def test_twenty_joined_numbers_go_at_once() -> None:
    for value, joint in (("+12127365000", ""), ("4111111111111111", ","), ("8.8.8.8", "_")):
        assert EVERYTHING.redact(joint.join([value] * 20)).counts.popitem()[1] == 20


def test_a_line_that_does_not_settle_loses_ever_more_of_its_surroundings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class OneALook:
        """Finds only the last x, so that each look uncovers the next."""

        kind, needs = "email", 0

        def find(self, text: str) -> Iterator[tuple[int, int]]:
            place = text.rfind("x")
            return iter([(place, place + 1)] if place >= 0 else [])

    redactor = Redactor()
    monkeypatch.setattr(redactor, "_detectors", [OneALook()])
    found = redactor.redact("x." * 1000 + "\nother")
    assert "x" not in found.text
    assert found.text.endswith("\nother")
    assert found.counts["email"] < 30


@given(TEXTS)
def test_looking_again_finds_nothing(text: str) -> None:
    found = EVERYTHING.redact(text)
    again = EVERYTHING.redact(found.text)
    assert (again.text, again.counts) == (found.text, {})
    for kind, placeholder in PLACEHOLDERS.items():
        assert found.text.count(placeholder) == found.counts.get(kind, 0) + text.count(placeholder)


HOSTILE = [
    *(
        "1",
        "@",
        "a.",
        "a@",
        "1.",
        "1 ",
        "1-",
        "12 ",
        "123-",
        "1234567 ",
        "+1",
        "+1 ",
        "(1)",
        "A1 ",
        "A ",
        "AA11 ",
    ),
    *(
        ":",
        "a:",
        "2001:",
        "-",
        "-----B",
        "-----BEGIN PRIVATE KEY-----\n",
        "sk-",
        "eyJ",
        "eyJaaaaaaaa.",
        "ghp_a",
    ),
    *(
        "Bearer ",
        "Bearer aaaaaaaaaaaaaaaaaaaaaaaa.",
        "aws_secret_access_key = ",
        "4111",
        "4111-",
        "a@b.co-",
        "８",
    ),
    *("PRIVATE KEY-----", "-----END PRIVATE KEY-----", "x@zz.zz.", "'@", "%40", "+12127365000", "8.8.8.8_"),
    *("GB82 ", "DE89370400440532013000-", "A\n", "[EMAIL]", "_eyJaaaaaaaa"),
    *("8.8.8.8 ", "x@a-", "tel 1", "phone: 212-736-500 ", "\u00a01", "_", "hooks.slack.com/services/T"),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_repetition_takes_linear_time(unit: str) -> None:
    # One module and one region show what the others cost as well.
    redactor = Redactor(PrivacyConfig(phone_regions=("US",), national_ids=("es.nif",)))

    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        started = time.process_time()
        redactor.redact(text)
        return time.process_time() - started

    # Eight times the text: eight times the time if it is linear, 64 times if it is quadratic.
    # The least of two, because the first text of a kind may load what reads it.
    short, long = (min(seconds(length) for _ in range(2)) for length in (12_500, 100_000))
    assert long < 32 * max(short, 0.002)


@given(
    st.lists(
        st.lists(st.sampled_from([*SAMPLES.values(), "word", "12", "\uff11\uff12"]), max_size=4), max_size=5
    )
)
def test_many_texts_are_redacted_as_each_is(parts: list[list[str]]) -> None:
    texts = [" ".join(part) for part in parts]
    redacted, counts = EVERYTHING.redact_all(pa.array(texts, pa.large_string()))
    alone = [EVERYTHING.redact(text) for text in texts]
    assert redacted.to_pylist() == [one.text for one in alone]
    found = [{k: n for k, n in zip(KINDS, row.tolist(), strict=True) if n} for row in counts]
    assert found == [one.counts for one in alone]


def test_a_batch_of_pairs_and_single_texts_is_decided_as_each_alone() -> None:
    judge = Judge(CleanConfig(profile="none", privacy=PrivacyConfig(email="reject", iban="redact")))
    iban = SAMPLES["iban"]
    texts = ["plain", f"{iban} here", "jo@example.org", "four", "five", "six"]
    targets = [None, f"dort {iban} \r\n", None, "jo@example.org", "fünf", ""]
    (found,) = judge.decide(pa.array(texts, pa.large_string()), pa.array(targets, pa.string()))
    assert found.stay.tolist() == [True, True, False, False, True, False]
    assert found.texts.to_pylist() == ["plain", "[IBAN] here", "five"]
    assert found.targets.to_pylist() == [None, "dort [IBAN]", "fünf"]
    assert found.num_repairs.tolist() == [0, 3, 0]
    assert [row[KINDS.index("iban")] for row in found.pii.tolist()] == [0, 2, 0]
    assert [reason.rule for reason in found.refused] == ["privacy.email.max"] * 2 + [BLANK.rule]
