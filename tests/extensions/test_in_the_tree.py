"""What a rule and a stage of ringlake's own take: the files that the guide names, and no line elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

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


def test_a_stage_is_four_files_and_a_rule_is_one_beside_the_guide(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for package in ("conf", "pipelines", "ringlake", "schemas", "training"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path, env=environment(PYTHONPATH=str(tmp_path)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["stages"] == ["ingest", "clean", "topics", "repeats"]
    assert found["tables"] == ["clean", "rejected", "topics", "trimmed"]
    assert (found["number"], found["rules"]) == (3, ["kind.words.min"])
    assert "pipelines/topics/stage.py" in found["code"]
    # Another source of the rule is another result of the stage.
    assert found["clean"]
