"""E-mail and IP addresses that go, and what looks like them and stays."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.clean.privacy.redactor import Redacted, Redactor

EMAIL_PLACEHOLDER, IP_PLACEHOLDER = "[EMAIL]", "[IP_ADDRESS]"

REDACTOR = Redactor()


def redact(text: str) -> Redacted:
    return REDACTOR.redact(text)


@pytest.mark.parametrize(
    "address",
    ["jo@example.org", "first.last+tag@sub.example.co.uk", "a_b%c-d@x-y.museum", "JO@EXAMPLE.ORG", "1@2.io"],
)
@pytest.mark.parametrize("around", ["{}", "<{}>", "mailto:{}", "Write to {}.", "({}, x)", "{}\n", "'{}'"])
def test_email_addresses_go(address: str, around: str) -> None:
    found = redact(around.format(address))
    assert found.text == around.format(EMAIL_PLACEHOLDER)
    assert found.counts == {"email": 1}


@pytest.mark.parametrize(
    "text", ["@pytest.mark.slow", "a @ b", "a@b", "x@y.z", "user@host:path", "A@B.T", "a@.com"]
)
def test_what_is_no_email_address_stays(text: str) -> None:
    assert redact(text).text == text


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2001:4860:4860::8888", "2606:4700:4700:0:0:0:0:1111", "2620:fe::fe"],
)
@pytest.mark.parametrize("around", ["{}", "at {}.", "http://{}/x", "({})", "{}: it", "{}/24", "{}, next"])
def test_public_ip_addresses_go(address: str, around: str) -> None:
    found = redact(around.format(address))
    assert found.text == around.format(IP_PLACEHOLDER)
    assert found.counts == {"ip_address": 1}


@pytest.mark.parametrize(
    "text",
    [
        # private, local, reserved, for documentation, multicast
        *("10.1.2.3", "192.168.0.1", "172.16.5.4", "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"),
        *("192.0.2.7", "198.51.100.1", "203.0.113.9", "::1", "fe80::1", "2001:db8::1:2", "fd00::1:2"),
        # no address at all
        *("999.8.8.8", "8.8.8", "8.8.8.8.8", "1.2.3.4.5.6", "x8.8.8.8", "8.8.8.8x", "08.8.8.8.", "12:30:45"),
        *("std::vector", "a::b", "x[2000::3]", "::", "a[::2]", "2001::cafe::1:2", "Dead::Beef::Cafe"),
        # versions
        *("version 1.2.3.4", "Version: 1.2.3.4", "numpy==1.2.3.4", "x>=1.2.3.4", "~= 1.2.3.4", "v1.2.3.4"),
        *(
            "v 1.2.3.4",
            "release 4.3.2.1",
            "ver. 4.3.2.1",
            "Section 4.10.22.7",
            "§4.2.3.2",
            "A_VERSION,6.0.0.0",
        ),
    ],
)
def test_what_is_no_public_address_stays(text: str) -> None:
    assert redact(text).text == text


def test_four_numbers_without_a_word_before_them_are_taken_for_an_address() -> None:
    assert redact("See 4.3.2.1 for it.").counts == {"ip_address": 1}
    assert redact("The conversion 4.3.2.1").counts == {"ip_address": 1}


PIECES = st.sampled_from(
    [
        "8.8.8.8",
        "1.1.1.1",
        "10.0.0.1",
        "2606:4700::1111",
        "jo@example.org",
        "a@b.co",
        "@",
        ".",
        ":",
        "::",
        "version ",
        *("\n", " ", "[EMAIL]", "x", "7", "==", "-", "_", "%"),
    ]
)


@given(st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=2)), max_size=20).map("".join)))
@example("a@b.co@c.de@d.org")
@example("8.8.8.8 8.8.8.8.jo@example.org")
@example("< 1.0.0.0")
def test_nothing_that_matches_is_left(text: str) -> None:
    found = redact(text)
    again = redact(found.text)
    assert again == Redacted(found.text)
    found_emails = found.text.count(EMAIL_PLACEHOLDER) - text.count(EMAIL_PLACEHOLDER)
    assert found.counts.get("email", 0) == found_emails
    assert not re.search(r"(^|\s)[a-z]+@[a-z]+\.[a-z]{2,}(\s|$)", found.text)
    for token in found.text.split():
        try:
            address = ipaddress.ip_address(token)
        except ValueError:
            continue
        before = found.text[: found.text.index(token)]
        # "<", ">" and "=" with a space behind them quote, point and assign; these are requirements.
        is_version = bool(re.search(r"(version|v|[=<>~!]=|~>|[\^~]|\w[<>])\s*$", before))
        groups = [group for group in token.split(":") if group]
        is_slice = address.version == 6 and len(groups) < 3
        is_code = address.version == 6 and address not in ipaddress.ip_network("2000::/3")
        assert not address.is_global or address.is_multicast or is_version or is_slice or is_code, token


def test_chinese_needs_no_space_around_an_address() -> None:
    assert redact("邮箱jo@example.org或8.8.8.8。").text == "邮箱[EMAIL]或[IP_ADDRESS]。"
