"""Settings of every Spark session of ringlake, wherever it runs. Needs no Spark."""

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Bounds the memory of a Python worker: a batch of long documents is cut by bytes, not only by rows.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(32 * 2**20),
    # Delta keeps the state of a log in this many partitions; 50, its default, costs seconds a commit.
    "spark.databricks.delta.snapshotPartitions": "2",
    # The writer of Parquet looks at its sizes every 100 rows at first, which may be 800 MB of documents at
    # their limit in one group of rows, and whoever reads such a group holds it whole.
    "spark.hadoop.parquet.page.size.row.check.min": "8",
    "spark.ui.showConsoleProgress": "false",
}
