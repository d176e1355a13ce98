"""The address of a document in a normal form, so that two spellings of one address are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

MAX_URL = 8192
"""Characters of the longest address that is compared (RFC 9110, section 4.1, asks for 8,000 at least)."""

TRACKING = (
    "utm_[a-z_]+",  # Google Analytics, campaign parameters
    "gclid|dclid|gbraid|wbraid|gclsrc|_ga|_gl",  # Google Ads and Analytics
    "fbclid",  # Meta
    "msclkid",  # Microsoft Advertising
    "yclid|_openstat",  # Yandex
    "twclid",  # X
    "ttclid",  # TikTok
    "li_fat_id",  # LinkedIn
    "igshid",  # Instagram
    "mc_cid|mc_eid",  # Mailchimp
    "_hsenc|_hsmi|__hstc|__hssc|__hsfp|hsctatracking",  # HubSpot
    "mkt_tok",  # Marketo
    "vero_id|vero_conv",  # Vero
    "wickedid",  # Wicked Reports
    "oly_anon_id|oly_enc_id",  # Omeda
    "s_cid",  # Adobe Analytics
)
"""Query parameters that say who followed a link, not what it leads to: what the tools named set, as
listed by the privacy filters of Firefox and Brave."""

_ADDRESS = (
    r"^(?i)(https?)://(?:[^/?#@]*+@)?+"
    r"(\[[0-9a-f:.]++\]|[^/?#:@\[\]]++)(?::([0-9]{0,5}+))?+"
    r"((?:/[^?#]*+)?+)(?:\?([^#]*+))?+(?:#.*+)?+$"
)
"""Scheme, host, port, path and query. Possessive quantifiers: a hostile address takes linear time."""


def normalised(url: Column) -> Column:
    """The normal form of web addresses; null for null, for other schemes, and for longer than `MAX_URL`.

    - The scheme goes: http and https lead to the same page. User names go.
    - The host is lower-cased and loses a dot at its end; ports 80 and 443 go, others stay.
    - The fragment goes; so do tracking parameters (`TRACKING`), by name in any case. Other parameters
      stay in their order, since a server may care.
    - A slash at the end of the path goes.

    Percent encodings, `www.` and the case of the path stay as they are: they may name other documents.

    Example:
        https://Example.org:443/a/?utm_source=x&id=7#top becomes example.org/a?id=7
    """
    text = F.trim(url)

    def part(number: int) -> Column:
        return F.regexp_extract(text, _ADDRESS, number)

    host = F.regexp_replace(F.lower(part(2)), r"\.$", "")
    port = F.when(part(3).isin("", "80", "443"), "").otherwise(F.concat(F.lit(":"), part(3)))
    path = F.regexp_replace(part(4), "/$", "")
    tracking = "^(?i)(?:" + "|".join(TRACKING) + ")(?:=|$)"
    wanted = F.filter(F.split(part(5), "&"), lambda item: (item != "") & ~item.rlike(tracking))
    query = F.when(F.size(wanted) > 0, F.concat(F.lit("?"), F.array_join(wanted, "&"))).otherwise("")
    return F.when((F.length(text) <= MAX_URL) & text.rlike(_ADDRESS), F.concat(host, port, path, query))
