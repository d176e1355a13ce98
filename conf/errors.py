"""The error that every mistake in a run file or an override ends in."""


class ConfigError(ValueError):
    """A run file or an override that cannot be used; the message names the key, the value and the remedy."""
