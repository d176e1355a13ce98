"""Forgetting: documents removed from every version of every table, so that nothing pinned to them breaks."""
