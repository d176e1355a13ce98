"""Where things lie in a lake, and the lock that keeps two runs from writing to it at once."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import EnvironmentProblem, InputError


@dataclass(frozen=True)
class Lake:
    """The folder of one lake."""

    root: Path

    @classmethod
    def at(cls, path: str | Path) -> Lake:
        """The lake at a path, which need not exist yet."""
        return cls(Path(path).expanduser().absolute())

    @property
    def tables(self) -> Path:
        """Where the Delta tables lie, a folder each."""
        return self.root / "tables"

    @property
    def tokenizers(self) -> Path:
        """Tokenizers, a folder each, named by content."""
        return self.root / "tokenizers"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints, a folder for each training run."""
        return self.root / "checkpoints"

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.root / "model"

    @property
    def logs(self) -> Path:
        """Spark's log of local runs."""
        return self.root / "logs"

    @property
    def evaluation(self) -> Path:
        """Scores of the model and the baselines."""
        return self.root / "evaluation.json"

    @property
    def samples(self) -> Path:
        """Sample generations."""
        return self.root / "samples.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / "report.html"

    def table(self, name: str) -> Path:
        """Folder of one table."""
        return self.tables / name

    def require(self) -> None:
        """InputError unless there is a lake here."""
        if not self.tables.is_dir():
            raise InputError(
                f"there is no lake at {self.root}: it has no folder 'tables'; "
                f"make one with: ringlake ingest --input FILES --lake {self.root}"
            )

    def create(self) -> None:
        """Makes the folders; EnvironmentProblem if they cannot be made or written to."""
        try:
            self.tables.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".writable-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise EnvironmentProblem(
                f"the lake {self.root} cannot be written to ({error.strerror or error}); "
                "choose another folder with --lake PATH or --set lake=PATH"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lake for this process; the lock ends with the process, also when it is killed."""
        with (self.root / ".lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read(40).strip() or "unknown"
                raise EnvironmentProblem(
                    f"another ringlake (process {holder}) is writing to the lake {self.root}; "
                    "wait until it ends, or use another lake"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def write_json(path: Path, value: Any) -> None:
    """Writes JSON so that a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """The JSON value of a file of the lake; InputError if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; the stage that writes it has not run yet") from None
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); delete it and run its stage again") from None
