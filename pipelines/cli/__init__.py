"""The command `ringlake`."""
