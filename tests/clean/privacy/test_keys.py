"""Keys, tokens and private keys, each by its published form."""

from __future__ import annotations

import pytest

from pipelines.clean.privacy.redactor import Redactor

REDACTOR = Redactor()

HEX, MIXED = "0123456789abcdef", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF"


def of(length: int, characters: str = MIXED) -> str:
    return (characters * 9)[:length]


# Put together here, so that no scanner of repositories takes the tests for a leak.
KEYS = [
    "AKIA" + "IOSFODNN7EXAMPLE"[:16],
    "ASIA" + "ABCDEFGHIJKLMNOP",
    "ghp_" + of(36),
    "github_pat_" + of(22) + "_" + of(59),
    "glpat-" + of(20),
    "xoxb-" + "123456789012-1234567890123-" + of(24),
    "AIza" + of(35),
    "ya29." + of(60),
    "sk_live_" + of(24),
    "rk_test_" + of(24),
    "sk-" + of(48),
    "sk-proj-" + of(48),
    "sk-ant-" + "api03-" + of(90),
    "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "npm_" + of(36),
    "pypi-AgEI" + of(60),
    "SG." + of(22) + "." + of(43),
    "dop_v1_" + of(64, HEX),
    "eyJ" + of(20) + ".eyJ" + of(40) + "." + of(43),
]


@pytest.mark.parametrize("key", KEYS, ids=[key[:8] for key in KEYS])
@pytest.mark.parametrize("around", ["{}", "key = '{}'", "KEY={}\n", "密钥{}。", "Authorization: Bearer {}"])
def test_keys_go(key: str, around: str) -> None:
    found = REDACTOR.redact(around.format(key))
    assert (found.text, found.counts) == (around.format("[API_KEY]"), {"api_key": 1})


@pytest.mark.parametrize("key", KEYS, ids=[key[:8] for key in KEYS])
def test_what_is_part_of_a_longer_name_stays(key: str) -> None:
    assert "api_key" not in REDACTOR.redact("x" + key).counts


def test_secrets_that_a_name_or_scheme_tells() -> None:
    secret = of(40)
    assert REDACTOR.redact(f"aws_secret_access_key = {secret}").text == "aws_secret_access_key = [API_KEY]"
    assert REDACTOR.redact(f"Bearer {of(32)}==").text == "Bearer [API_KEY]"
    hook = "T00000000/B00000000/" + of(24)
    assert REDACTOR.redact(f"hooks.slack.com/services/{hook}").text == "hooks.slack.com/services/[API_KEY]"
    assert REDACTOR.redact(secret).text == secret


@pytest.mark.parametrize(
    "text",
    [
        *(
            "d41d8cd98f00b204e9800998ecf8427e",
            "bc5f37ca1b2c3d4e5f60718293a4b5c6d7e8f901",
            "sk-learn-contrib-models",
        ),
        *("the bearer of_this_message_is_known", "Bearer authentication-is-described-below", "xoxo-love"),
        *("test_that_a_very_long_name_of_a_test_is_no_key_1234", "AKIA is a prefix", "-" * 80, "_" * 80),
        *("sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",),
        "MIIEpAIBAAKCAQEA" + of(200),
    ],
)
def test_what_only_looks_like_a_key_stays(text: str) -> None:
    assert REDACTOR.redact(text).text == text


@pytest.mark.parametrize(
    "label",
    ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK", "EC PRIVATE KEY"],
)
@pytest.mark.parametrize("newline", ["\n", "\\n", "\r\n"])
def test_private_keys_go_as_a_whole(label: str, newline: str) -> None:
    body = newline.join([of(64), of(64), "Ab3="])
    block = f"-----BEGIN {label}-----{newline}{body}{newline}-----END {label}-----"
    found = REDACTOR.redact(f"key: {block} and more")
    assert (found.text, found.counts) == ("key: [PRIVATE_KEY] and more", {"private_key": 1})


def test_a_private_key_that_was_cut_goes_as_far_as_it_goes() -> None:
    text = f"-----BEGIN PRIVATE KEY-----\n{of(64)}\n{of(64)}\n\n# The end (of it)"
    assert REDACTOR.redact(text).text == "[PRIVATE_KEY]\n\n# The end (of it)"


def test_public_keys_and_certificates_stay() -> None:
    for label in ("CERTIFICATE", "PUBLIC KEY", "RSA PUBLIC KEY"):
        text = f"-----BEGIN {label}-----\n{of(64)}\n-----END {label}-----"
        assert REDACTOR.redact(text).text == text
