"""From the active files of a pinned table version to batches, in the order of the sample plan."""
