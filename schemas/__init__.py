"""Every table of the lake, one module each: name, columns, types, meaning. A module here is one more.

One definition yields both the Spark and the Arrow schema, so the two can never disagree.

Example:
    >>> from schemas import TABLES
    >>> TABLES["duplicates"].key
    ('doc_id',)
"""

from ringlake.base.modules import modules_of, named_in
from ringlake.base.order import in_order
from schemas.table import Column, Table

TABLES: dict[str, Table] = {
    table.name: table
    for table in in_order(
        named_in(modules_of(__name__), Table), lambda table: table.name, lambda table: table.after
    )
}
"""Every table by its name, in the order of the data flow."""

__all__ = ["TABLES", "Column", "Table"]
