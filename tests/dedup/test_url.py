"""Addresses in their normal form."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipelines.dedup.url import MAX_URL, normalised

CASES: dict[str | None, str | None] = {
    "https://Example.org:443/a/?utm_source=x&id=7#top": "example.org/a?id=7",
    "http://example.org/a?id=7": "example.org/a?id=7",
    "HTTP://EXAMPLE.ORG:80": "example.org",
    "https://example.org/": "example.org",
    "https://example.org./?": "example.org",
    "https://example.org:8080/A": "example.org:8080/A",
    " https://user:secret@example.org/a ": "example.org/a",
    "https://example.org/?b=2&a=1&FBCLID=z&utm_campaign": "example.org?b=2&a=1",
    "https://example.org/?utmost=1&agclid=2": "example.org?utmost=1&agclid=2",
    "https://[2001:DB8::1]:443/x": "[2001:db8::1]/x",
    "https://b\u00fccher.example/%7Ea//": "b\u00fccher.example/%7Ea/",
    "https://example.org/a?next=http://x/#f": "example.org/a?next=http://x/",
    "ftp://example.org/a": None,
    "example.org/a": None,
    "https://": None,
    "https://a@b@c/": None,
    "": None,
    None: None,
    "https://example.org/" + "a" * MAX_URL: None,
    "http://" + "@" * (MAX_URL - 7): None,
    "http://h:" + "1" * (MAX_URL - 9): None,
}


def test_spellings_of_one_address_are_equal_and_others_are_not(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(url,) for url in CASES], "url string")
    rows = frame.select("url", normalised(F.col("url")).alias("normal")).collect()
    assert {row["url"]: row["normal"] for row in rows} == CASES
