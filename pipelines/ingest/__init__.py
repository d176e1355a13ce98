"""Raw files to documents; what cannot be read is quarantined with the reason and the place."""

from pipelines.ingest.discover import InputFile, discover, fingerprint
from pipelines.ingest.stage import ingest

__all__ = ["InputFile", "discover", "fingerprint", "ingest"]
