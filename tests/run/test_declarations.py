"""What declarations of stages say of each other, of tables, keys and modules is so."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from conf import RunConfig
from conf.keys import key
from pipelines.run.binding import Binding, binding_of
from pipelines.run.libraries import versions
from pipelines.stages import BY_NAME, OPTIONAL_TABLES, STAGES, Count, Stage, before
from schemas import TABLES
from tests.support.tables import OF_BATCHES

EACH = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)


def counts(stage: Stage) -> list[Count]:
    accounts = stage.accounts
    if accounts is None:
        return []
    parts = (accounts.into, accounts.out, accounts.rejected, accounts.quarantined, accounts.duplicate)
    return [part for part in parts if part is not None]


def test_each_name_is_one_stage_and_each_table_has_one_writer() -> None:
    assert len(BY_NAME) == len(STAGES)
    written = [table for stage in STAGES for table in (*stage.writes, *stage.may_write)]
    assert sorted([*written, "runs", "erasures", *OF_BATCHES]) == sorted(TABLES)
    assert set(TABLES) > OPTIONAL_TABLES


@EACH
def test_what_it_reads_an_earlier_stage_writes(stage: Stage) -> None:
    earlier = STAGES[: STAGES.index(stage)]
    there = {table for other in earlier for table in (*other.writes, *other.may_write)}
    assert there >= {*stage.reads, *stage.may_read}
    assert {*stage.reads_of(RunConfig())} <= {*stage.reads, *stage.may_read}


@EACH
def test_its_accounts_are_of_its_tables(stage: Stage) -> None:
    own = {*stage.reads, *stage.may_read, *stage.writes, *stage.may_write}
    for part in counts(stage):
        assert part.table in own
        assert not part.column or part.column in TABLES[part.table].column_names
    assert stage.accounts is None or (stage.writes and (stage.accounts.into or stage.reads))


@EACH
def test_its_keys_and_modules_exist(stage: Stage) -> None:
    assert all(key(flag.key) for flag in stage.flags)
    assert list(stage.config(RunConfig())) == list(stage.sections or (stage.name,))
    assert isinstance(binding_of(stage), Binding)
    assert all(find_spec(module) for module in stage.code)
    assert all(versions(stage.libraries(RunConfig())).values())


def test_what_goes_into_a_table_follows_from_the_declarations() -> None:
    way = ["ingest", "clean", "repeats", "dedup", "tokenize", "mix", "pack"]
    assert [stage.name for stage in before("sequences")] == way
    assert [stage.name for stage in before("clean")] == ["ingest", "clean"]


def test_declarations_load_neither_the_configuration_nor_spark() -> None:
    program = "import sys, pipelines.stages; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"conf", "pydantic", "pyspark", "torch", "pyarrow", "schemas", "training"}
