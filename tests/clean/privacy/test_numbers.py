"""Numbers that say who somebody is, and the many numbers that do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, luhn

from conf.clean import PrivacyConfig
from pipelines.clean.privacy.redactor import Redactor

IDS = ("us.ssn", "es.nif", "cn.ric", "gb.nhs", "fr.nir", "it.codicefiscale", "in.aadhaar")
PLAIN = Redactor()
EVERYTHING = Redactor(PrivacyConfig(phone_regions=("US", "GB", "DE", "FR", "CN"), national_ids=IDS))


@pytest.mark.parametrize(
    "number",
    ["+1 212-736-5000", "+442079304832", "+44 (0)20 7930 4832", "+49 30 227-32152", "+86 138 0013 8000"],
)
@pytest.mark.parametrize(
    "around", ["{}", "Call {}.", "({})", "tel:{}", "{}, or later", "{} 9 am", "拨打{}。"]
)
def test_international_phone_numbers_go_without_any_setting(number: str, around: str) -> None:
    found = PLAIN.redact(around.format(number))
    assert (found.text, found.counts) == (around.format("[PHONE]"), {"phone": 1})


@pytest.mark.parametrize(
    "number",
    [
        *(
            "(212) 736-5000",
            "212-736-5000",
            "1-212-736-5000",
            "212.736.5000",
            "020 7930 4832",
            "(020) 7930 4832",
        ),
        *("030/22732152", "01 42 68 53 00", "13800138000", "138 0013 8000", "021-62489111", "02079304832"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "Call {}.", "({} today)", "电话：{}", "in 2019 {}", "{}\n"])
def test_national_phone_numbers_go_in_the_regions_named(number: str, around: str) -> None:
    text = around.format(number)
    assert EVERYTHING.redact(text).text == around.format("[PHONE]")
    assert PLAIN.redact(text).text == text


def test_a_word_for_phones_tells_a_bare_number() -> None:
    assert EVERYTHING.redact("2127365000").counts == {}
    assert EVERYTHING.redact("Phone: 2127365000").text == "Phone: [PHONE]"
    assert EVERYTHING.redact("Order: 212-736-5000").counts == {}


@pytest.mark.parametrize(
    "card",
    [
        *(
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "5555555555554444",
            "2223003122003222",
        ),
        *("378282246310005", "3782 822463 10005", "30569309025904", "6011111111111117", "3566002020360505"),
        *("6250941006528599", "4222222222222"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "card {} 12/26", "Order 12345 {}.", "卡号{}。"])
def test_payment_cards_go(card: str, around: str) -> None:
    found = PLAIN.redact(around.format(card))
    assert (found.text, found.counts) == (around.format("[CREDIT_CARD]"), {"credit_card": 1})


@given(st.integers(10**14, 10**15 - 1), st.integers(0, 9))
def test_a_card_has_the_check_digit_of_luhn(number: int, digit: int) -> None:
    text = f"4{str(number)[1:]}{digit}"
    assert (PLAIN.redact(text).counts == {"credit_card": 1}) == luhn.is_valid(text)


@pytest.mark.parametrize(
    "number",
    ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "NO9386011117947", "gb82west12345698765432"],
)
@pytest.mark.parametrize("around", ["{}", "IBAN: {}.", "{} BIC DEUTDEFF", "Konto {} bei uns"])
def test_account_numbers_go(number: str, around: str) -> None:
    assert iban.is_valid(number)
    found = PLAIN.redact(around.format(number))
    assert (found.text, found.counts) == (around.format("[IBAN]"), {"iban": 1})


def test_an_account_number_has_check_digits_and_the_length_of_its_country() -> None:
    for text in ("DE89370400440532013001", "DE8937040044053201300", "ZZ89370400440532013000"):
        assert PLAIN.redact(text).text == text


@pytest.mark.parametrize(
    "number",
    [
        *(
            "536-90-4399",
            "54362315K",
            "X-2482300-W",
            "360426199101010071",
            "11010519491231002X",
            "943 476 5919",
        ),
        *("1 80 01 75 123 456 60", "RCCMNL83S18D969H", "2341 2341 2346"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "id {},", "MY {} NOW", "身份证{}。"])
def test_national_ids_go_where_their_kind_is_named(number: str, around: str) -> None:
    found = EVERYTHING.redact(around.format(number))
    assert found.counts == {"national_id": 1}
    assert found.text == around.format("[NATIONAL_ID]")
    assert "national_id" not in PLAIN.redact(around.format(number)).counts


def test_a_number_without_check_digit_needs_its_separators() -> None:
    assert EVERYTHING.redact("536904399").counts == {}
    assert EVERYTHING.redact("536-90-4399").counts == {"national_id": 1}


@pytest.mark.parametrize(
    "text",
    [
        # versions, dates, times, time stamps
        *(
            "1.2.3.4567",
            "v10.15.7",
            "Python 3.11.4-1ubuntu2",
            "2019-08-25 12:30:59",
            "25.08.2019 - 31.12.2020",
        ),
        *(
            "08/25/2019 12:30",
            "20190825123000",
            "1700000000",
            "1700000000123",
            "1914-1918",
            "2019/08/25 - 2020/01/02",
        ),
        # books and papers
        *(
            "ISBN 0-306-40615-2",
            "ISBN-13: 978-3-16-148410-0",
            "9783161484100",
            "ISSN 0317-8471",
            "ISBN 0306406152",
        ),
        *("doi:10.1016/j.cell.2010.03.014", "arXiv 2406.17557"),
        # hashes and identifiers
        *(
            "d41d8cd98f00b204e9800998ecf8427e",
            "bc5f37c4111111111111111",
            "550e8400-e29b-41d4-a716-446655440000",
        ),
        *("sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed", "0x7fffffff12345678"),
        # figures and code
        *(
            "3.14159265358979",
            "0.4111111111111111",
            "+2.718281828",
            "1,234,567,890",
            "1e10 -1e-10",
            "12345678.90",
        ),
        *("x[1000000:20000000]", "range(10000000, 20000000)", "0b10101010101010", "100 200 300 400 500"),
        *(
            "1 2 3 4 5 6 7 8 9 10",
            "640x480 1920x1080",
            "@@ -1200,10 +1234,11 @@",
            "4294967296",
            "18446744073709551615",
        ),
        *("100000000000000000000", "0000000000000000", "1111 2222 3333 4445", "$12,345,678", "#1234567890"),
        *(
            "2000-100",
            "rfc 2822",
            "port 8080 8443",
            "10000-20000",
            "0.255.255.255",
            "0   2018-03-10",
            "issue-2246336902",
        ),
        *(
            "Boston, MA\n02110-1301 USA",
            "grant no. 0757627",
            "2002-04-07 02:30:00",
            "1607 1107",
            "满2000-100元",
        ),
    ],
)
def test_other_numbers_stay(text: str) -> None:
    for around in ("{}", "see {} for it", "({})"):
        assert EVERYTHING.redact(around.format(text)).text == around.format(text)


def test_digits_of_other_scripts_and_full_width_forms_are_digits() -> None:
    assert (
        EVERYTHING.redact("电话１３８００１３８０００，ＪＯ＠ＥＸＡＭＰＬＥ．ＯＲＧ").text
        == "电话[PHONE]，[EMAIL]"
    )
    assert EVERYTHING.redact("卖，13800138000，ＱＱ　１").text == "卖，[PHONE]，ＱＱ　１"
    assert PLAIN.redact("اتصل +٤٤٢٠٧٩٣٠٤٨٣٢ الآن").text == "اتصل [PHONE] الآن"
