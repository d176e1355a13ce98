"""Where the parts of a comparison lie below its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipelines.errors import InputError
from pipelines.lake import Lake
from pipelines.lake.paths import write_json
from ringlake.base.storage import File, Folder, folder_of


@dataclass(frozen=True)
class Place:
    """The folder of a comparison.

    FOLDER/recipes/A       the lake of a recipe
    FOLDER/models/A-1      the lake of a model: a recipe's sequences, trained from one seed
    FOLDER/held-out.jsonl  the held-out texts, and held-out.json what they were chosen from
    FOLDER/scores/A-1.json what a model says of them
    FOLDER/differences.json, FOLDER/compare.json, FOLDER/compare.html
    """

    root: Folder

    @classmethod
    def at(cls, location: str) -> Place:
        """The folder at a path; InputError if it is a URL."""
        root = folder_of(location)
        if not root.is_local:
            raise InputError(
                f"--out {location}: tables that recipes share are linked, not copied, which needs a disk "
                f"that this machine and the executors see at the same path; give such a folder"
            )
        return cls(root)

    def recipe(self, letter: str) -> Lake:
        """The lake of a recipe."""
        return Lake.at(self.root.child("recipes").child(letter).location)

    def model(self, letter: str, seed: int) -> Lake:
        """The lake of a recipe's model of one seed."""
        return Lake.at(self.root.child("models").child(f"{letter}-{seed}").location)

    @property
    def held_out(self) -> File:
        """The held-out texts."""
        return self.root.file("held-out.jsonl")

    @property
    def held_out_facts(self) -> File:
        """What they were chosen from."""
        return self.root.file("held-out.json")

    def scores(self, letter: str, seed: int) -> File:
        """What a model says of them."""
        return self.root.child("scores").file(f"{letter}-{seed}.json")

    @property
    def differences(self) -> File:
        """What the recipes kept differently."""
        return self.root.file("differences.json")

    @property
    def result(self) -> File:
        """The verdict for programs."""
        return self.root.file("compare.json")

    @property
    def page(self) -> File:
        """The verdict for people."""
        return self.root.file("compare.html")


def kept(file: File, key: str) -> Any | None:
    """What a file of the comparison has, if it was made of the same things; None: it has to be made.

    A file that is damaged is made again.
    """
    try:
        value = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value.get("value") if isinstance(value, dict) and value.get("key") == key else None


def keep(file: File, key: str, value: Any) -> None:
    """Writes what `kept` reads, at once.

    Args:
        file: Where.
        key: Hash of all that it was made of.
        value: JSON value.
    """
    file.folder.create()
    write_json(file, {"key": key, "value": value})
