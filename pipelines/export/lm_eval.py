"""The validation texts of a lake as a task of EleutherAI's `lm_eval`, which then needs no network."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, read_arrow
from ringlake.base.storage import Folder, folder_of
from ringlake.base.tasks import LANGUAGE_MODEL

TASK = "ringlake_validation"
"""What `lm_eval --tasks` calls it."""

_TASK_FILE = """\
# Perplexity on the {documents} validation texts of version {version} of a lake's table corpus.
task: {task}
custom_dataset: !function {task}.texts
output_type: loglikelihood_rolling
validation_split: validation
doc_to_text: ""
doc_to_target: text
metric_list:
  - metric: bits_per_byte
  - metric: byte_perplexity
  - metric: word_perplexity
metadata:
  version: 1.0
"""

_CODE = '''\
"""Gives `lm_eval` the texts that lie beside this file, wherever that is."""

from pathlib import Path

import datasets


def texts(**_):
    """The validation texts."""
    file = Path(__file__).with_suffix(".jsonl")
    return datasets.DatasetDict({"validation": datasets.Dataset.from_json(str(file))})
'''


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: Where to.
        documents: How many texts.
        version: Version of `corpus` that they are from.
    """

    folder: str
    documents: int
    version: int


def export_lm_eval(lake: Lake, out: str, documents: int | None = None) -> Exported:
    """Writes a task for `lm_eval --include_path`: a YAML file, the texts, and code that finds them.

    Args:
        lake: A lake whose task is a language model.
        out: Folder, a path or URL; files of these names in it are replaced.
        documents: Most texts, those whose ids come first; None: all. Ids are hashes, so that these are a
            sample, and always the same one.

    Raises:
        InputError: There is no corpus, it has no validation texts, or it was made for another task.
    """
    lake.require()
    catalog = Catalog(lake)
    _check_task(catalog, lake)
    version = catalog.info("corpus").version
    found = read_arrow(lake, "corpus", ["doc_id", "text"], "split = 'validation'", version)
    if not found.num_rows:
        raise InputError(
            f"the corpus of the lake {lake.location} (version {version}) has no validation texts; raise "
            f"dedup.validation_fraction and run dedup again"
        )
    # Arrow 21 does not sort the views of strings that DataFusion gives.
    rows = sorted(found.to_pylist(), key=lambda row: row["doc_id"])[:documents]
    folder = folder_of(out)
    folder.create()
    _write(folder, ".jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    _write(folder, ".py", _CODE)
    _write(folder, ".yaml", _TASK_FILE.format(task=TASK, documents=f"{len(rows):,}", version=version))
    return Exported(folder.location, len(rows), version)


def _check_task(catalog: Catalog, lake: Lake) -> None:
    """InputError where sequences say that they were made for another task than a language model."""
    if not catalog.exists("sequences"):
        return
    task = (catalog.info("sequences").metadata.get("task") or {}).get("name", LANGUAGE_MODEL)
    if task != LANGUAGE_MODEL:
        raise InputError(
            f"the lake {lake.location} is of the task {task!r}, and the perplexity that lm_eval computes is "
            f"a language model's; its scores are in {lake.evaluation}"
        )


def _write(folder: Folder, ending: str, text: str) -> None:
    folder.replace(TASK + ending, text.encode())
