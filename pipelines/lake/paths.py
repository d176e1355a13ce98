"""Where things lie in a lake, which is a folder on a local disk, on HDFS or behind another fsspec URL.

Its tables lie in that folder, or have names in a catalog.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import EnvironmentProblem, InputError
from pipelines.lake.lease import LOCK_FILE, held_by_lease
from ringlake.base.clients import prepare_clients
from ringlake.base.named import SCHEME, Names, parse_named
from ringlake.base.storage import File, Folder, folder_of


@dataclass(frozen=True)
class Lake:
    """The folder of one lake.

    Attributes:
        root: The folder.
        names: Catalog and schema of its tables; None: they lie in the folder.
    """

    root: Folder
    names: Names | None = None

    @classmethod
    def at(cls, place: str | os.PathLike[str]) -> Lake:
        """The lake at a path, a URL, or in a catalog (`unity://CATALOG.SCHEMA/FOLDER`); it may not exist yet.

        Raises:
            InputError: What looks like a place in a catalog is none.
        """
        prepare_clients()
        try:
            named = parse_named(os.fspath(place))
        except ValueError as error:
            raise InputError(f"lake: {error}") from None
        return cls(folder_of(place), None if named is None else named[0])

    @property
    def location(self) -> str:
        """Its path or URL, or its place in a catalog."""
        return self.root.location if self.names is None else f"{SCHEME}{self.names}{self.root.location}"

    @property
    def tables(self) -> Folder:
        """Where the Delta tables lie, a folder each."""
        return self.root.child("tables")

    @property
    def tokenizers(self) -> Folder:
        """Tokenizers, a folder each, named by content."""
        return self.root.child("tokenizers")

    @property
    def embeddings(self) -> Folder:
        """Vectors of tokens for a model to start from, files named by content."""
        return self.root.child("embeddings")

    @property
    def checkpoints(self) -> Folder:
        """Checkpoints, a folder for each training run."""
        return self.root.child("checkpoints")

    @property
    def model(self) -> Folder:
        """The model folder."""
        return self.root.child("model")

    @property
    def spark_log(self) -> Path:
        """Spark's log of local runs: in the lake, or beside other temporary files if that is elsewhere."""
        if self.root.is_local:
            return self.root.local_path / "logs" / "spark.log"
        return Path(tempfile.gettempdir()) / f"ringlake-spark-{os.getpid()}.log"

    @property
    def evaluation(self) -> File:
        """Scores of the model and the baselines."""
        return self.root.file("evaluation.json")

    @property
    def samples(self) -> File:
        """Sample generations."""
        return self.root.file("samples.json")

    @property
    def report(self) -> File:
        """The report."""
        return self.root.file("report.html")

    @property
    def card(self) -> File:
        """The dataset card for people."""
        return self.root.file("card.md")

    @property
    def card_facts(self) -> File:
        """The same for programs."""
        return self.root.file("dataset_card.json")

    def table(self, name: str) -> str:
        """Path or URL of one table, for delta-rs and for training; its full name if it has one."""
        return self.tables.child(name).location if self.names is None else f"{self.names}.{name}"

    def spark_table(self, name: str) -> str:
        """The same for Spark, to which a path without a scheme may mean HDFS."""
        place = self.table(name)
        return f"file://{place}" if self.root.is_local else place

    def require(self) -> None:
        """InputError unless there is a lake here; EnvironmentProblem if its catalog cannot be used."""
        if self.names is not None:
            from pipelines.lake.allowed import check_schema
            from pipelines.lake.named_session import session

            check_schema(session(), self.names)
            return
        if not self.tables.is_folder():
            raise InputError(
                f"there is no lake at {self.location}: it has no folder 'tables'; "
                f"make one with: ringlake ingest --input FILES --lake {self.location}"
            )

    def create(self) -> None:
        """Makes the folders; EnvironmentProblem if they cannot be made or written to."""
        if self.names is not None:
            from pipelines.lake.allowed import check_volume

            check_volume(self.root)
        try:
            (self.tables if self.names is None else self.root).create()
            probe = f".writable-{uuid.uuid4().hex}"
            self.root.write(probe, b"")
            self.root.delete(probe)
        except Exception as error:  # each file system raises errors of its own
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
            remedy = "choose another folder with --lake PATH or --set lake=PATH"
            if self.names is not None:
                remedy = f"grant READ VOLUME and WRITE VOLUME on its volume, or {remedy}"
            raise EnvironmentProblem(
                f"the lake {self.location} cannot be written to ({reason}); {remedy}"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lake for this process; the lock ends with the process, also when it is killed.

        On a local disk the kernel does that. Elsewhere the lock is a lease that the holder renews, so a run
        that comes after a killed one waits until it has run out.
        """
        with self._locked_here() if self.root.is_local else held_by_lease(self.root):
            yield

    @contextmanager
    def _locked_here(self) -> Iterator[None]:
        with (self.root.local_path / LOCK_FILE).open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read(40).strip() or "unknown"
                raise EnvironmentProblem(
                    f"another ringlake (process {holder}) is writing to the lake {self.location}; "
                    "wait until it ends, or use another lake"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def write_json(file: File, value: Any) -> None:
    """Writes JSON so that a reader sees the old file or the new one, never a part."""
    file.replace(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(file: File) -> Any:
    """The JSON value of a file of the lake; InputError if it is missing or damaged."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        raise InputError(f"{file} does not exist; the stage that writes it has not run yet") from None
    except ValueError as error:
        raise InputError(f"{file} is damaged ({error}); delete it and run its stage again") from None
