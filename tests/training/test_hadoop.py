"""Hadoop's configuration is found where Spark on YARN unpacks it, and never overrides the cluster's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringlake.base.hadoop import SHIPPED, VARIABLE, use_shipped_configuration


def test_the_shipped_configuration_is_used_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment: dict[str, str] = {}
    use_shipped_configuration(environment)
    assert environment == {}
    SHIPPED.mkdir(parents=True)
    (SHIPPED / "core-site.xml").write_text("<configuration/>")
    use_shipped_configuration(environment)
    assert environment == {VARIABLE: str(tmp_path / SHIPPED)}
    own = {VARIABLE: "/etc/hadoop/conf"}
    use_shipped_configuration(own)
    assert own == {VARIABLE: "/etc/hadoop/conf"}
