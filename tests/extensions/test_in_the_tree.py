"""What a rule, a stage and a task of ringlake's own take: the files that the guide names, no other line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.cli import environment

ROOT = Path(__file__).resolve().parents[2]

FILES = {
    "pipelines/stages/topics.py": """
from pipelines.stages.declaration import Accounts, Count, Stage
TOPICS = Stage(
    name="topics", after="clean", summary="s", purpose="p", help="h", reads=("clean",), writes=("topics",),
    accounts=Accounts(out=Count("topics")), work="pipelines.topics.stage:topics",
    section="conf.topics:TopicsConfig",
)
""",
    "pipelines/topics/stage.py": "def topics(clean, config, say):\n    raise NotImplementedError\n",
    "conf/topics.py": """
from pydantic import Field
from conf.section import Section
class TopicsConfig(Section):
    number: int = Field(8, ge=1, description="Topics.")
""",
    "schemas/topics.py": """
import pyarrow as pa
from schemas.table import Column, Table
COLUMNS = (Column("doc_id", pa.string(), "Id."),)
TOPICS = Table("topics", "A document.", COLUMNS, ("doc_id",), after="rejected")
""",
    "pipelines/clean/rules/kind.py": """
from pipelines.clean.rules.length import num_words
from pipelines.clean.rules.rule import Rule
RULES = (Rule("kind.words.min", num_words, "<", 1, "Words.", "test"),)
""",
}

PROGRAM = """
import json
from pipelines.clean.profiles import resolve
from pipelines.lake.tables import TABLES
from pipelines.run.stage_code import files_of
from pipelines.settings import load
from pipelines.stages import BY_NAME, STAGES
config = load(None, ["topics.number=3", "clean.rules=[kind.words.min]"])
print(json.dumps({
    "stages": [stage.name for stage in STAGES][:4], "tables": list(TABLES)[3:7],
    "number": config.topics.number, "rules": [item.name for item in resolve(config.clean).items],
    "code": sorted(files_of(BY_NAME["topics"])),
    "clean": "pipelines/clean/rules/kind.py" in files_of(BY_NAME["clean"]),
}))
"""


def copied(folder: Path, files: dict[str, str]) -> None:
    """A copy of the tree with more files."""
    ignored = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for package in ("conf", "pipelines", "ringlake", "schemas", "training"):
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def told(folder: Path, program: str) -> Any:
    """What a program in a copy of the tree prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder, env=environment(PYTHONPATH=str(folder)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_stage_is_four_files_and_a_rule_is_one_beside_the_guide(tmp_path: Path) -> None:
    copied(tmp_path, FILES)
    found = told(tmp_path, PROGRAM)
    assert found["stages"] == ["ingest", "clean", "topics", "repeats"]
    assert found["tables"] == ["clean", "rejected", "topics", "trimmed"]
    assert (found["number"], found["rules"]) == (3, ["kind.words.min"])
    assert "pipelines/topics/stage.py" in found["code"]
    # Another source of the rule is another result of the stage.
    assert found["clean"]


TASK = """        TaskKind(
            name="echo",
            summary="says it again",
            examples="pipelines.tokenize.echo:EXAMPLES",
            training="training.tasks.echo:make",
            scores="pipelines.evaluate.echo:SCORES",
            verb="translate",
        ),
"""

SIDES = {
    "pipelines/tokenize/echo.py": """
from pipelines.tokenize.examples import ExampleMaker
from pipelines.tokenize.tasks import Examples
class Echoes(ExampleMaker):
    def make(self, rows):
        raise NotImplementedError
EXAMPLES = Examples(Echoes, "$A END")
""",
    "training/tasks/echo.py": """
from training.tasks.translation import Translation
class Echo(Translation):
    name = "echo"
def make(basis):
    return Echo(3)
""",
    "pipelines/evaluate/echo.py": """
from pipelines.evaluate.scores import Scored, TaskScores
SCORES = TaskScores(lambda asked: Scored({}))
""",
}

OF_TASK = """
import json
from conf.keys import key
from conf.train import TrainConfig
from pipelines.run.loaded import PARTS
from pipelines.run.stage_code import files_of
from pipelines.settings import load
from pipelines.stages import BY_NAME
from pipelines.tokenize.tasks import examples_of
from training.tasks.make import make_task
config = load(None, ["task.name=echo"])
print(json.dumps({
    "name": config.task.name, "choices": key("task.name").choices,
    "maker": examples_of("echo").maker.__name__, "loaded": examples_of("echo") in PARTS,
    "task": type(make_task("echo", TrainConfig(), {}, None)).__name__,
    "reads": BY_NAME["evaluate"].reads_of(config),
    "code": {name: [file for file in files_of(BY_NAME[name]) if file.endswith("/echo.py")]
             for name in ("tokenize", "train", "evaluate")},
}))
"""


def test_a_task_is_three_files_its_declaration_and_its_name(tmp_path: Path) -> None:
    declared = (ROOT / "ringlake/base/tasks.py").read_text("utf-8")
    place = declared.index("        TaskKind(")
    named = (ROOT / "conf/task.py").read_text("utf-8").replace('Literal["', 'Literal["echo", "', 1)
    edited = {"ringlake/base/tasks.py": declared[:place] + TASK + declared[place:], "conf/task.py": named}
    copied(tmp_path, {**SIDES, **edited})
    found = told(tmp_path, OF_TASK)
    assert found["name"] == "echo"
    assert "echo" in found["choices"]
    assert (found["maker"], found["loaded"], found["task"]) == ("Echoes", True, "Echo")
    assert found["reads"] == ["sequences", "corpus", "refused"]
    assert found["code"]["tokenize"] == ["pipelines/tokenize/echo.py"]
    assert found["code"]["train"] == ["training/tasks/echo.py"]
    assert sorted(found["code"]["evaluate"]) == ["pipelines/evaluate/echo.py", "training/tasks/echo.py"]
