"""A file beside the lake that is written whole, or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pipelines.errors import EnvironmentProblem
from ringlake.base.storage import folder_of


class Place:
    """A file on this machine.

    Args:
        flag: The option that names it, for messages.
        path: Where it lies.
    """

    def __init__(self, flag: str, path: str) -> None:
        self.flag = flag
        self.path = Path(path)

    def require(self) -> None:
        """EnvironmentProblem unless a file can be written there; one that is there stays as it is."""
        if self.path.is_dir():
            raise self._cannot("it is a folder")
        try:
            with tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=f".{self.path.name}-"):
                pass
        except OSError as error:
            raise self._cannot(error.strerror or str(error)) from None

    def replace(self, text: str) -> None:
        """Writes the file so that a reader sees the old one or the new one; OSError if it cannot."""
        folder_of(self.path.parent).file(self.path.name).replace(text)

    def _cannot(self, reason: str) -> EnvironmentProblem:
        return EnvironmentProblem(f"{self.flag} {self.path} cannot be written ({reason}); name another file")
