"""The lake: the one place that reads and writes tables, and the paths of everything else a run leaves.

LAKE/tables/NAME      Delta tables
LAKE/tokenizers/HASH  tokenizers, named by content
LAKE/embeddings/HASH   vectors of tokens, named by content
LAKE/checkpoints/KEY  checkpoints of a training run
LAKE/model            the model folder
LAKE/indexes/NAME     indexes of passages, named by a version of `tokens`
LAKE/history          signatures of all daily batches
LAKE/batches/NUMBER   a lake of one daily batch, until it is in this one
LAKE/evaluation.json, LAKE/samples.json, LAKE/report.html
LAKE/card.md, LAKE/dataset_card.json
"""

from pipelines.lake.appends import add_once, remove_once
from pipelines.lake.catalog import Catalog, TableInfo
from pipelines.lake.external import ExternalTable, find_external, read_external
from pipelines.lake.ledger import Ledger, RunRecord
from pipelines.lake.paths import Lake
from pipelines.lake.query import read_arrow, read_sql, stream_arrow
from pipelines.lake.tables import read_table, write_table

__all__ = [
    "Catalog",
    "ExternalTable",
    "Lake",
    "Ledger",
    "RunRecord",
    "TableInfo",
    "add_once",
    "find_external",
    "read_arrow",
    "read_external",
    "read_sql",
    "read_table",
    "remove_once",
    "stream_arrow",
    "write_table",
]
