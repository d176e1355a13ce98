"""Predictions of rows that lie in files and tables: by this process, or by Spark's tasks."""
