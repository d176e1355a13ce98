"""A lake and its tables, read without knowing where anything lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf.urls import without_secrets
from pipelines.lake import Catalog, Ledger, read_arrow, read_table, stream_arrow
from pipelines.lake import Lake as Place
from ringlake.display import grid, megabytes, panel
from ringlake.jobs import StageRun, StageRuns
from ringlake.models import Model, open_model
from ringlake.trainings import Training, trainings_in
from schemas import TABLES

if TYPE_CHECKING:
    import os

    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession


_FIRST_ROWS = 5
"""Rows of a table that a notebook shows of it; `to_pandas` has the others."""

_SHORT = 80
"""Characters of a value in them."""


@dataclass(frozen=True)
class Table:
    """A table at one version: what is written later changes nothing of it.

    Attributes:
        name: Its name.
        version: Its version in the Delta log.
        num_rows: Its rows, as the log says.
        num_bytes: Size of its files.
        columns: Names of its columns; docs/reference/tables.md has their types and meanings.
    """

    name: str
    version: int
    num_rows: int
    num_bytes: int
    columns: tuple[str, ...]
    _place: Place = field(repr=False)

    def to_arrow(
        self, columns: Sequence[str] | None = None, *, where: str | None = None, limit: int = 0
    ) -> pa.Table:
        """Rows in memory, in no promised order, read without Spark; token ids as lists of numbers.

        Args:
            columns: The columns wanted; None for all.
            where: A condition in SQL, as "rule = 'c4.min_sentences' AND value < 3"; None for all rows.
            limit: Most rows; 0 for all.

        Raises:
            RinglakeError: The condition is no SQL, or names a column that is none.
        """
        return read_arrow(self._place, self.name, columns, where, self.version, limit)

    def to_pandas(
        self, columns: Sequence[str] | None = None, *, where: str | None = None, limit: int = 0
    ) -> pd.DataFrame:
        """The same rows as a pandas DataFrame."""
        frame: pd.DataFrame = self.to_arrow(columns, where=where, limit=limit).to_pandas()
        return frame

    def to_batches(
        self, columns: Sequence[str] | None = None, *, where: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The same rows batch by batch: a table of any size goes through a bounded memory."""
        return stream_arrow(self._place, self.name, columns, where, self.version)

    def to_spark(self, spark: SparkSession | None = None) -> DataFrame:
        """The table as a Spark DataFrame.

        Args:
            spark: The session; None: the active one. It needs the jars of Delta Lake.

        Raises:
            RuntimeError: There is no active session.
        """
        from pyspark.sql import SparkSession

        session = spark or SparkSession.getActiveSession()
        if session is None:
            raise RuntimeError(
                f"there is no active Spark session to read {self.name!r} with; give one, or use to_arrow or "
                f"to_batches, which need none"
            )
        return read_table(session, self._place, self.name, self.version)

    def _repr_html_(self) -> str:
        facts = f"{self.name}, version {self.version}: {self.num_rows:,} rows, {megabytes(self.num_bytes)}"
        first = self.to_arrow(limit=_FIRST_ROWS)
        rows = zip(*(first.column(name).to_pylist() for name in first.column_names), strict=True)
        return grid(facts, first.column_names, ([_short(value) for value in row] for row in rows))


class Lake:
    """A lake: the folder in which the tables, the model and everything else of a job lie; see `open_lake`."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def location(self) -> str:
        """Its path or URL."""
        return self._place.location

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that it has, in the order of the data flow."""
        return tuple(Catalog(self._place).names())

    def table(self, name: str, version: int | None = None) -> Table:
        """A table, pinned to a version.

        Args:
            name: Its name, one of `tables`.
            version: None: the current one.

        Raises:
            RinglakeError: There is no such table or version.
        """
        catalog = Catalog(self._place)
        info = catalog.info(name, version)
        known = TABLES.get(name)
        columns = known.column_names if known is not None else tuple(catalog.columns(name, info.version))
        return Table(name, info.version, info.rows, info.bytes, tuple(columns), self._place)

    @property
    def model(self) -> Model:
        """Its model; RinglakeError if it has none."""
        return open_model(self._place.model.location)

    def runs(self) -> StageRuns:
        """Every run of a stage that ended, the newest last, with its accounts."""
        return StageRuns(StageRun.of(record) for record in Ledger(self._place).records())

    def trainings(self) -> tuple[Training, ...]:
        """The trainings whose checkpoints and curves it has, also one that runs just now."""
        return trainings_in(self._place.checkpoints)

    def predict(
        self,
        frame: DataFrame,
        model: str | os.PathLike[str] | None = None,
        *,
        verb: str = "generate",
        id_column: str = "id",
        **options: Any,
    ) -> DataFrame:
        """The rows of a DataFrame with what a model says of them; see `ringlake.predict`.

        Args:
            frame: The rows.
            model: Model folder, a path or URL; None: the model of this lake.
            verb: What the model is asked for.
            id_column: Column that names a row.
            **options: How it is used.

        Example:
            lake.predict(df, verb="generate", max_new_tokens=20, temperature=0)
        """
        place = self._place.model.location if model is None else model
        return predict(frame, place, verb=verb, id_column=id_column, **options)

    def __repr__(self) -> str:
        return f"Lake({self.location!r})"

    def _repr_html_(self) -> str:
        catalog = Catalog(self._place)
        infos = [catalog.info(name) for name in catalog.names()]
        rows = [(info.name, info.rows, megabytes(info.bytes), info.version) for info in infos]
        tables = grid(f"Lake {without_secrets(self.location)}", ("table", "rows", "size", "version"), rows)
        if not self._place.model.exists("config.json"):
            return tables
        return tables + panel("", {"model": without_secrets(self._place.model.location)})


def _short(value: Any) -> Any:
    """A value of a row as it is shown beside others."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]} …"


def predict(
    frame: DataFrame,
    model: str | os.PathLike[str],
    *,
    verb: str,
    id_column: str = "id",
    **options: Any,
) -> DataFrame:
    """The rows of a DataFrame with what a model says of them, computed by Spark's tasks when it is used.

    The columns `prediction` (text; of `embed` a list of numbers) and `score` are added, and `reason` and
    `detail`, which are null unless the row has no prediction. The model is opened once in each Python
    worker, on the GPU that Spark gave the task if it gave one. Every use of the result computes it again:
    write it, or persist it. The session is the DataFrame's own; its workers must reach the model's path.

    Args:
        frame: Has an id and `text` (translate, classify, embed), `question` and `context` (answer), `prompt`
            or `messages` (generate).
        model: Model folder, a path or URL, or a lake, whose model it then is.
        verb: 'generate', 'translate', 'classify', 'answer' or 'embed'.
        id_column: Column that names a row.
        **options: How it is used: for `generate` the keys of its section, for `translate` beams,
            max_new_tokens, source_language and target_language, for `answer` no_answer and
            max_answer_tokens; for all batch_tokens and precision.

    Raises:
        RinglakeError: There is no such model, verb, option or column, or the model is of another kind.

    Example:
        labels = ringlake.predict(df, "models/sentiment", verb="classify")
    """
    import os

    from pipelines.predict.frame import predict_frame
    from pipelines.predict.request import request

    return predict_frame(frame, request(verb, os.fspath(model), options, id_column))


def open_lake(location: str | os.PathLike[str]) -> Lake:
    """The lake at a path or URL.

    Raises:
        RinglakeError: There is none.

    Example:
        >>> import ringlake
        >>> ringlake.open_lake("nowhere")
        Traceback (most recent call last):
        ...
        pipelines.errors.InputError: there is no lake at nowhere...
    """
    place = Place.at(location)
    place.require()
    return Lake(place)
