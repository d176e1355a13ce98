"""The error that every mistake in a run file or an override ends in."""

from conf.urls import without_secrets


class ConfigError(ValueError):
    """A run file or an override that cannot be used; the message names the key, the value and the remedy."""

    def __init__(self, message: str) -> None:
        # A message may quote a value: URLs in it lose their secrets.
        super().__init__(without_secrets(message))
