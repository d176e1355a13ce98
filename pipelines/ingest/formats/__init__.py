"""The formats that ingest reads; `pipelines.ingest.readers` has them by name."""
