"""A file beside the lake that is written whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pipelines.errors import EnvironmentProblem


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
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")
        except OSError as error:
            raise self._cannot(error.strerror or str(error)) from None
        os.close(handle)
        Path(name).unlink()

    def replace(self, text: str) -> None:
        """Writes the file so that a reader sees the old one or the new one; OSError if it cannot."""
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(text)
            # As any new file: what the user's umask leaves, not for the user alone.
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _cannot(self, reason: str) -> EnvironmentProblem:
        return EnvironmentProblem(f"{self.flag} {self.path} cannot be written ({reason}); name another file")
