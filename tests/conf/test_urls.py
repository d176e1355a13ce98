"""No user, password or query of a URL is shown or stored."""

from __future__ import annotations

import pytest

from conf.urls import values_without_secrets, without_secrets

SHOWN = {
    "ftp://me:secret@host/a.txt": "ftp://host/a.txt",
    "hdfs://me:p@ss@host:8020/a": "hdfs://host:8020/a",
    "s3://KEY:se/cret@bucket/a": "s3://bucket/a",
    "https://host/a?token=secret#more": "https://host/a",
    "s3://bucket/a?versionId=3&key=secret": "s3://bucket/a",
    "no FTP://me:secret@host/a, no ftp://me:secret@other/b": "no FTP://host/a, no ftp://other/b",
}
UNCHANGED = [
    "a@b.txt",
    "s3://bucket/part-?.jsonl",
    "hdfs://host:8020/a@3/b",
    "memory://a/b.txt",
    "abfss://container@account.dfs.core.windows.net/a",
    "hdfs:///user/me/*.gz",
]


@pytest.mark.parametrize("given", SHOWN)
def test_secrets_go(given: str) -> None:
    assert without_secrets(given) == SHOWN[given]
    assert values_without_secrets({"inputs": [given, 1]}) == {"inputs": [SHOWN[given], 1]}


@pytest.mark.parametrize("given", UNCHANGED)
def test_the_rest_stays(given: str) -> None:
    assert without_secrets(given) == given
