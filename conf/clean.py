"""Section `clean`: repair, quality rules, languages, privacy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from conf.section import Section

Mode = Annotated[
    Literal["off", "redact", "reject"],
    # YAML reads off and on as false and true.
    BeforeValidator(
        lambda value: {False: "off", True: "redact"}.get(value, value) if value in (0, 1) else value
    ),
]


class PrivacyConfig(Section):
    """Personal data and secrets: `redact` puts a placeholder there, `reject` takes the document out."""

    private_key: Mode = Field("redact", description="Private keys in PEM form.")
    api_key: Mode = Field("redact", description="Keys and tokens of services, by their published formats.")
    email: Mode = Field("redact", description="E-mail addresses.")
    iban: Mode = Field("redact", description="International bank account numbers.")
    credit_card: Mode = Field("redact", description="Payment card numbers.")
    national_id: Mode = Field("redact", description="Numbers of the kinds named in national_ids.")
    ip_address: Mode = Field("redact", description="Public IPv4 and IPv6 addresses; private ranges stay.")
    phone: Mode = Field("redact", description="Phone numbers.")
    phone_regions: tuple[str, ...] = Field(
        (), description="Regions (ISO 3166-1) whose national phone numbers are found; with a + all are."
    )
    national_ids: tuple[str, ...] = Field(
        (), description="Modules of python-stdnum: us.ssn, es.nif, cn.ric, gb.nhs, ..."
    )


Threshold = Annotated[float, Field(allow_inf_nan=True)]
"""A limit of a rule; an infinite one is never met, and what is no number is refused with the rule's name."""


class LanguageConfig(Section):
    """What is different for documents of one language; null: as for all."""

    profile: str | None = Field(None, description="Named list of rules, as `clean.profile`.")
    rules: tuple[str, ...] | None = Field(
        None, description="Names of rules and text steps instead of the profile's list, in their order."
    )
    thresholds: dict[str, Threshold] = Field(
        default_factory=dict, description="Added to those of all languages, whose rules need not be here."
    )
    splitter: str | None = Field(None, description="What parts words, as `clean.splitter`.")


class CleanConfig(Section):
    """Repair, language identification, quality rules, redaction."""

    profile: str = Field(
        "documentation", description="Named list of rules; `ringlake clean --help` lists them."
    )
    rules: tuple[str, ...] | None = Field(
        None, description="Names of rules and text steps instead of the profile's list, in their order."
    )
    thresholds: dict[str, Threshold] = Field(
        default_factory=dict, description="Threshold by rule name, instead of the published one."
    )
    languages: tuple[str, ...] = Field(
        (), description="Languages that stay (ISO 639-1); empty: the profile's own, which may be all."
    )
    min_language_score: float | None = Field(
        None, ge=0, le=1, description="Least probability of those languages; null: the profile's own rule."
    )
    splitter: str | None = Field(
        None,
        description="Words: word_or_punct+icu, word_or_punct, whitespace or icu; null: the profile's own.",
    )
    per_language: dict[str, LanguageConfig] = Field(
        default_factory=dict,
        description="Profile, rules, thresholds and splitter by identified language (ISO 639-1).",
    )
    stop_words: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Words of gopher.stop_words.min by language; English has the paper's.",
    )
    url_blocklist: tuple[str, ...] = Field(
        (), description="Files of domains and URL prefixes, one a line; documents found there are rejected."
    )
    word_blocklist: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Files of words and phrases by language; 'all' for every language."
    )
    boilerplate: tuple[str, ...] = Field(
        (), description="Files of lines that the step boilerplate.lines drops besides its own."
    )
    repair: bool | None = Field(
        None,
        description="Repair encoding, Unicode form, white space before judging; null: the profile's own.",
    )
    privacy: PrivacyConfig = Field(default_factory=PrivacyConfig)
