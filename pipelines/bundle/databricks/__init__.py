"""A declarative automation bundle of Databricks: the job of a run file on clusters of its own."""
