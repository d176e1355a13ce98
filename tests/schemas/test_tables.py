"""One definition, two schemas: Spark's and Arrow's say the same."""

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_schema

from schemas import TABLES, Column, Table


@pytest.mark.parametrize("name", TABLES)
def test_spark_and_arrow_agree(name: str) -> None:
    table = TABLES[name]
    arrow, back = table.arrow_schema(), to_arrow_schema(table.spark_schema())
    assert back.names == arrow.names == list(table.column_names)
    for column, spark_field in zip(arrow, back, strict=True):
        assert spark_field.nullable == column.nullable, column.name
        if pa.types.is_timestamp(column.type):
            assert spark_field.type.unit == column.type.unit
        else:
            assert spark_field.type == column.type, column.name


@pytest.mark.parametrize("name", TABLES)
def test_every_column_says_what_it_means(name: str) -> None:
    table = TABLES[name]
    assert table.name == name
    for column in table.columns:
        assert len(column.meaning) > 10
        assert column.meaning.endswith("."), column.name


def test_contradictions_are_refused() -> None:
    a = Column("a", pa.string(), "A.")
    with pytest.raises(ValueError, match="names a column twice"):
        Table("t", "T.", (a, a), key=("a",))
    with pytest.raises(ValueError, match="are not among"):
        Table("t", "T.", (a,), key=("b",))
    with pytest.raises(KeyError, match="has no column 'b'"):
        Table("t", "T.", (a,), key=("a",)).column("b")
