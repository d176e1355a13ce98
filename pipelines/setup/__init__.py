"""Set-up: makes a machine ready for ringlake, with nothing but Python's standard library."""
