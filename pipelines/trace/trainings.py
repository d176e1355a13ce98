"""The trainings of a lake: what each was to read, from its checkpoints or, without them, the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from conf.train import TrainConfig
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, Ledger, RunRecord
from pipelines.run.artefacts import NOTED, file_identity
from pipelines.run.snapshots import sequences_at, take_snapshot
from pipelines.trace.model_files import find_model_folder
from ringlake.base.storage import Folder
from training.checkpoints.identity import find_training
from training.data.batches import Plan
from training.data.mixture import MixturePlan
from training.data.plan import SamplePlan
from training.errors import TrainingError
from training.models.made import MADE_FILE
from training.sources import open_sources, table_key

_PLAN = "plan."
_SEQUENCES = "/tables/sequences"


@dataclass(frozen=True)
class Source:
    """Sequences that a training read.

    Attributes:
        number: Its number in the plan, 0 for those of the run's own lake.
        lake: Where they lie.
        version: Version of its table `sequences`.
        content: Fingerprint of the files, as training took it; empty where nobody noted it.
        since: Version whose sequences it left out; None: none.
    """

    number: int
    lake: Lake
    version: int
    content: str = ""
    since: int | None = None

    @cached_property
    def first_id(self) -> int:
        """Sequence id that its part of the table begins with."""
        return 0 if self.since is None else sequences_at(self.lake, "train", self.since)


@dataclass(frozen=True)
class Training:
    """A training of a lake.

    Attributes:
        lake: The lake.
        key: Name of its folder of checkpoints.
        steps: Optimizer steps that it did.
        state: 'finished' or 'interrupted'.
        identity: What its newest checkpoint says that it belongs to; empty where there is none.
        runs: Its rows of the ledger, the newest last; none where it was never recorded.
    """

    lake: Lake
    key: str
    steps: int
    state: str
    identity: Mapping[str, Any]
    runs: tuple[RunRecord, ...]

    @property
    def folder(self) -> Folder:
        """Its folder of checkpoints and metrics, which need not exist any more."""
        return self.lake.checkpoints.child(self.key)

    @property
    def record(self) -> RunRecord | None:
        """Its newest row of the ledger."""
        return self.runs[-1] if self.runs else None

    @property
    def sequences_lost(self) -> int:
        """Planned sequences that were left out because a rank died that others went on without."""
        return 0 if self.record is None else int(self.record.details.get("sequences_lost", 0))

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """What it read, in the order of the plan."""
        if self.identity:
            return tuple(_sources_of(self.lake, self.identity))
        assert self.record is not None
        told = self.record.details.get("tables") or []
        if told:
            return tuple(
                Source(
                    number,
                    self.lake if number == 0 else _lake_of(use["table"]),
                    use["version"],
                    since=use.get("since"),
                )
                for number, use in enumerate(told)
            )
        return (Source(0, self.lake, self.record.inputs["sequences"]),)

    @cached_property
    def plan(self) -> Plan:
        """Which sequence was in which global batch.

        Raises:
            InputError: No checkpoint says it, and the files of its tables are gone or changed.
        """
        if self.identity:
            return plan_of(self.identity)
        assert self.record is not None
        try:
            config = TrainConfig.model_validate(json.loads(self.record.config)["train"])
            own, *others = (
                take_snapshot(source.lake, "train", source.version, source.since) for source in self.sources
            )
            return open_sources(config, own, others).plan
        except (TrainingError, ValidationError, ValueError, KeyError) as error:
            raise InputError(
                f"the plan of the training {self.key} cannot be made again: its checkpoints are gone, and "
                f"the ledger and tables do not suffice ({' '.join(str(error).split())})"
            ) from error

    def is_of(self, model: Folder) -> bool:
        """Whether a model folder is what this training left."""
        found = file_identity(model.file(MADE_FILE))
        if found and any((run.details.get(NOTED) or {}).get("model") == found for run in self.runs):
            return True
        return bool(self.identity) and not self.runs and self._made(model)

    def described(self) -> dict[str, Any]:
        """It as JSON values."""
        record = self.record
        return {
            "model": self.key,
            "folder": self.lake.model.location if self.is_of(self.lake.model) else None,
            "state": self.state,
            "steps": self.steps,
            "run_id": None if record is None else record.run_id,
            "trained_at": None if record is None else record.started_at.isoformat(),
            "sequences": [
                {"lake": source.lake.location, "version": source.version}
                | ({} if source.since is None else {"since": source.since})
                for source in self.sources
            ],
            "sequences_lost": self.sequences_lost,
        }

    def _made(self, model: Folder) -> bool:
        """The same by what the model's list says of its training, for one that was killed before its row."""
        from training.models.made import read_card

        card = read_card(model) or {}
        told, recipe = card.get("training"), card.get("recipe")
        names = ("version", "content", "tokenizer")
        return (
            isinstance(told, dict)
            and isinstance(recipe, dict)
            and recipe.get("seed") == str(self.identity.get("train.seed"))
            and told.get("steps") == self.steps
            and card.get("code") == self.identity.get("code")
            and all(told.get(name) == self.identity.get(name) for name in names)
        )


def plan_of(identity: Mapping[str, Any]) -> Plan:
    """The plan that an identity of a training describes, or the `parameters()` of one under `plan.`.

    Raises:
        InputError: It describes none that this release knows.
    """
    told = {
        name.removeprefix(_PLAN): tuple(value) if isinstance(value, list) else value
        for name, value in identity.items()
        if name.startswith(_PLAN)
    }
    kinds: tuple[Any, ...] = (SamplePlan, MixturePlan)
    for kind in kinds:
        if told.keys() == kind.__dataclass_fields__.keys():
            values = [
                item for value in told.values() for item in (value if isinstance(value, tuple) else [value])
            ]
            if all(type(value) is int for value in values):
                try:
                    plan: Plan = kind(**told)
                    return plan
                except (TrainingError, TypeError) as error:
                    raise InputError(f"no plan of batches has {told}: {error}") from error
    raise InputError(
        f"this release knows no plan of batches with {', '.join(sorted(told)) or 'no parameter at all'}; use "
        f"the release that trained"
    )


def trainings_of(lake: Lake) -> list[Training]:
    """All trainings that the ledger or a folder of checkpoints knows of, the newest of the ledger last.

    One whose only traces are failed runs without a checkpoint has done no step that counts.
    """
    runs: dict[str, list[RunRecord]] = {}
    for record in Ledger(lake).records():
        key = record.details.get("checkpoint_key")
        if record.stage == "train" and isinstance(key, str):
            runs.setdefault(key, []).append(record)
    folders = {name: find_training(lake.checkpoints.child(name)) for name in lake.checkpoints.names()}
    found = []
    for key in [*(name for name in folders if name not in runs), *_by_last_run(runs)]:
        checkpoint, own = folders.get(key), tuple(runs.get(key, ()))
        if checkpoint is None and not own:
            continue
        done = [run for run in own if run.state == "succeeded"]
        finished = bool(done) or (checkpoint is not None and checkpoint.is_finished())
        recorded = int(done[-1].details.get("steps", 0)) if done else 0
        steps = max(recorded, 0 if checkpoint is None else checkpoint.step)
        identity = {} if checkpoint is None else checkpoint.identity
        if steps and (identity or done):
            state = "finished" if finished else "interrupted"
            found.append(Training(lake, key, steps, state, identity, tuple(done or own)))
    return found


def choose(lake: Lake, name: str | None) -> Training:
    """The training that a name means.

    Args:
        lake: The lake.
        name: A model folder, a key (name of a folder of checkpoints) or the id of a run, or how one of these
            two begins; None: that of the lake's model or, without one, the newest.

    Raises:
        InputError: There is none, or several.
    """
    trainings = trainings_of(lake)
    if not trainings:
        raise InputError(
            f"nothing was trained in the lake {lake.location} yet: neither its ledger nor its folder "
            f"checkpoints has a training; train first: ringlake train --lake {lake.location}"
        )
    if name is None:
        return next((each for each in reversed(trainings) if each.is_of(lake.model)), trainings[-1])
    if (folder := find_model_folder(name)) is not None:
        for training in reversed(trainings):
            if training.is_of(folder):
                return training
        raise InputError(
            f"the model {folder.location} is of no training that the lake {lake.location} knows of; name "
            f"the lake that it was trained in with --lake"
        )
    named = [
        each
        for each in trainings
        if name and (each.key.startswith(name) or any(run.run_id.startswith(name) for run in each.runs))
    ]
    if len(named) == 1:
        return named[0]
    known = ", ".join(each.key for each in trainings)
    fault = "is no model folder, and" if not named else "means several:"
    raise InputError(
        f"--model {name!r} {fault} the trainings of the lake {lake.location} are {known}; name a model "
        f"folder or one of these"
    )


def lineage(lake: Lake, name: str, version: int) -> dict[str, int]:
    """The version of each table that a version of a table was made from, itself included.

    As the commits say it; a table whose log has lost that commit ends the line there.
    """
    catalog = Catalog(lake)
    found: dict[str, int] = {}
    left = {name: version}
    while left:
        table, number = left.popitem()
        if table in found or not catalog.exists(table):
            continue
        found[table] = number
        noted = next((made for at, _, made in catalog.commits(table) if at == number), {})
        inputs = noted.get("inputs")
        if isinstance(inputs, dict):
            left |= {str(key): value for key, value in inputs.items() if type(value) is int}
    return found


def _by_last_run(runs: Mapping[str, list[RunRecord]]) -> list[str]:
    order = {key: place for place, key in enumerate(runs)}
    newest = {key: own[-1].started_at for key, own in runs.items()}
    return sorted(runs, key=lambda key: (newest[key], order[key]))


def _sources_of(lake: Lake, identity: Mapping[str, Any]) -> list[Source]:
    found = []
    number = 0
    while table_key("version", number) in identity:
        # A lake may have been moved since; its own sequences lie where it lies now.
        own = number == 0
        found.append(
            Source(
                number,
                lake if own else _lake_of(str(identity.get(table_key("table", number)))),
                int(identity[table_key("version", number)]),
                str(identity.get(table_key("content", number), "")),
                identity.get(table_key("since", number)),
            )
        )
        number += 1
    return found


def _lake_of(table: str) -> Lake:
    return Lake.at(table.removesuffix(_SEQUENCES))
