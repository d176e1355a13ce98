"""The packages of docs/extending.md, built from the page, installed and run with Spark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pipelines.errors import EnvironmentProblem
from pipelines.session import check_extensions
from ringlake.base.extensions import Extension
from tests.docs.blocks import blocks, differences
from tests.extensions.support import PAGE, ROOT, install, write_packages
from tests.support.cli import environment
from tests.support.tables import rows

SECONDS = 1800
"""The longest that a program may take on a machine that does other things too."""

pytestmark = pytest.mark.timeout(3600)

SHOUTED = "PLEASE READ THIS NOTICE BEFORE YOU DO ANYTHING ELSE WITH IT"

WORDS = ("awful", "dull", "decent", "good", "splendid")

_RUN = """
import ringlake
runs = ringlake.run("run.yaml", until="dedup")
ringlake.run("run.yaml", stage="report")
ringlake.run("run.yaml", stage="card", settings={"card.license": "CC0-1.0"})
"""

_STATES = """
import json, sys
from pathlib import Path
from pipelines.added import every_stage
from pipelines.console.console import Console
from pipelines.lake import Lake
from pipelines.run.context import Context
from pipelines.run.engine import up_to_date
from pipelines.settings import load
from ringlake.base import extensions

config = load(sys.argv[1])
context = Context(config, Lake.at(config.lake), Console())

def tell():
    extensions._installed.cache_clear()
    extensions._sources_hash.cache_clear()
    stages = [stage for stage in every_stage() if stage.name in sys.argv[3].split()]
    print(json.dumps({stage.name: up_to_date(context, stage) is not None for stage in stages}))

tell()
site = Path(sys.argv[2])
if config.task.name == "stars":
    with (site / "stars" / "training.py").open("a") as file:
        file.write("# changed\\n")
    tell()
    sys.exit()
with (site / "polite_rules.py").open("a") as file:
    file.write("# changed\\n")
tell()
old, new = site / "hosts-1.2.dist-info", site / "hosts-1.3.dist-info"
old.rename(new)
(new / "METADATA").write_text((new / "METADATA").read_text().replace("Version: 1.2", "Version: 1.3"))
tell()
with (site / "fortunes.py").open("a") as file:
    file.write("# changed\\n")
tell()
"""

_SUMS = """
import json, torch
from conf.strategy import StrategyConfig
from training.added import identity_of
from training.launch import launch_local
from training.strategies import make_strategy

def rank():
    strategy = make_strategy(StrategyConfig(name="double_sum", options={"piece_mib": 0.0001}))
    gradients = torch.full((40,), 0.5 if strategy.rank else 1.0)
    numbers = torch.ones(2, dtype=torch.float64)
    strategy.add_up(gradients, numbers)
    strategy.close()
    return type(strategy).__name__, gradients.tolist(), numbers.tolist(), strategy.sent_bytes

identity = identity_of(StrategyConfig(name="double_sum"))
print(json.dumps([launch_local(rank, 2), launch_local(rank, 1)[0][0], identity]))
"""


@dataclass(frozen=True)
class Installed:
    """A folder with the page's packages installed beside a run file and texts."""

    folder: Path
    site: Path

    @property
    def environment(self) -> dict[str, str]:
        return environment(PYTHONPATH=os.pathsep.join([str(self.site), str(ROOT)]))

    def python(self, program: str, *args: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, *args],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}"
        return done.stdout + done.stderr

    def ringlake(self, *args: str, code: int = 0, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ringlake", *args],
            cwd=self.folder, env={**self.environment, **(env or {})}, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{done.stdout}\n{done.stderr[-6000:]}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The five packages of the page, as wheels that their own build backend has made."""
    folder = tmp_path_factory.mktemp("extending")
    site = folder / "site"
    for name in write_packages(folder):
        install(folder / name, site)
    texts = folder / "texts"
    texts.mkdir()
    sayings = (
        b"All that glitters is not gold.",
        b"",
        b"A stitch in time\nsaves nine.",
        b"\xff\xfe",
        b"Last.",
    )
    (texts / "sayings.fortune").write_bytes(b"\n%\n".join(sayings))
    records = [
        {"text": SHOUTED, "url": "https://loud.example/"},
        {"text": "A quiet page about tea.", "url": "https://www.Tea.example/green"},
    ]
    (texts / "pages.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    reviews = [{"text": f"Visit {n}: {WORDS[n % 5]} food.", "stars": str(n % 5 + 1)} for n in range(100)]
    reviews.append({"text": "Nobody counted.", "stars": "many"})
    (folder / "reviews.jsonl").write_text("".join(f"{json.dumps(review)}\n" for review in reviews))
    return Installed(folder, site)


@pytest.fixture(scope="module")
def lake(installed: Installed) -> Path:
    """The lake of the page's run file, with report and card: one session for all of them."""
    installed.python(_RUN)
    return installed.folder / "lake"


def test_what_is_installed_is_listed_as_the_page_shows_it(installed: Installed) -> None:
    (shown,) = (block.text for block in blocks(PAGE) if block.kind == "text")
    assert differences(shown, installed.ringlake("extensions")) == []
    listed = json.loads(installed.ringlake("extensions", "--json"))
    assert {item["place"] for item in listed} >= {"polite_rules:CAPITALS", "hosts:HOSTS"}


def test_a_stage_is_a_command_without_an_import_for_the_list(installed: Installed) -> None:
    program = (
        "import sys; from pipelines.cli.main import run; run(['--help']); "
        "print(sorted({'hosts', 'pydantic', 'pyarrow', 'importlib.metadata._adapters'} & set(sys.modules)))"
    )
    listed = installed.python(program)
    assert "A stage of hosts 1.2." in listed
    assert "'hosts'" not in listed.splitlines()[-1]
    assert "'pydantic'" not in listed.splitlines()[-1]
    shown = installed.ringlake("hosts", "--help", env={"COLUMNS": "200"})
    assert "Tell the site of each document" in shown
    assert "--strip-www" in shown
    assert "key: hosts.strip_www; default: true" in shown


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--set", "hosts.strip_ww=true"], "did you mean hosts.strip_www? allowed here: enabled, strip_www"),
        (["--set", "hosts.enabled=5"], "hosts.enabled = 5"),
        (["--set", "train.strategy.name=doublesum"], "did you mean 'double_sum'?"),
        (
            ["--set", "train.strategy.name=double_sum", "--set", "train.strategy.options={piece: 3}"],
            "train.strategy.options.piece = 3",
        ),
        (["--set", "ingest.format=fortunes"], "did you mean 'fortune'?"),
        (["--set", "task.name=star"], "did you mean 'stars'?"),
        (["--set", "task.name=stars", "--set", "task.options={most: 1}"], "task.options.most = 1"),
        (["--set", "task.name=stars", "--set", "task.options={mots: 1}"], "'stars': most, distance"),
    ],
)
def test_a_mistake_is_told_before_spark_starts(installed: Installed, args: list[str], words: str) -> None:
    told = installed.ringlake("hosts", "--lake", "nowhere", *args, code=2)
    assert words in told
    assert len(told.splitlines()) == 1


@pytest.mark.rare
def test_the_reader_takes_files_by_their_extension(lake: Path) -> None:
    found = {row["source"]: row for row in rows(lake, "sources")}
    fortunes = found["sayings.fortune"]
    assert (fortunes["format"], fortunes["records"], fortunes["quarantined"]) == ("fortune", 4, 1)
    texts = {row["text"]: row["offset"] for row in rows(lake, "documents")}
    assert texts["A stitch in time\nsaves nine."] == 36
    (fault,) = rows(lake, "quarantine")
    assert fault["reason"] == "not_utf8"


@pytest.mark.rare
def test_the_rule_turns_away_and_measures(lake: Path, installed: Installed) -> None:
    (rejected,) = rows(lake, "rejected")
    assert (rejected["rule"], rejected["value"], rejected["threshold"]) == ("polite.capitals.max", 1.0, 0.4)
    assert all("polite.capitals.max" in dict(row["measures"]) for row in rows(lake, "clean"))
    loud = installed.folder / "loud.txt"
    loud.write_text(SHOUTED)
    shown = installed.ringlake("clean", "--run", "run.yaml", "--explain", str(loud))
    assert "rejected by polite.capitals.max" in shown


@pytest.mark.rare
def test_the_stage_writes_its_tables_with_accounts(lake: Path, installed: Installed) -> None:
    assert {row["host"] for row in rows(lake, "hosts")} == {"tea.example"}
    assert len(rows(lake, "hostless")) == 3
    shown = installed.ringlake("status", "lake")
    (line,) = (line for line in shown.splitlines() if line.startswith("hosts") and "succeeded" in line)
    assert line.split()[2:5] == ["4", "1", "3"]
    assert "tea.example" in installed.ringlake("show", "lake", "hosts")


@pytest.mark.rare
def test_ledger_report_and_card_name_what_was_used(lake: Path) -> None:
    used = {row["stage"]: json.loads(row["details"]).get("extensions") for row in rows(lake, "runs")}
    rule = {"group": "rules", "name": "polite.capitals.max", "distribution": "polite-rules", "version": "1.0"}
    assert used["clean"] == [rule]
    assert [item["name"] for item in used["ingest"]] == ["fortune"]
    assert [item["version"] for item in used["hosts"]] == ["1.2"]
    assert used["dedup"] is None
    report = (lake / "report.html").read_text(encoding="utf-8")
    assert "clean used polite.capitals.max of polite-rules 1.0." in report
    assert "come out of hosts" in report
    assert "Stages of other packages" in (lake / "card.md").read_text(encoding="utf-8")
    card = json.loads((lake / "dataset_card.json").read_text(encoding="utf-8"))
    assert card["extensions"]["clean"] == "polite.capitals.max of polite-rules 1.0"
    assert card["added"] == {"hosts": {"in": 4, "out": 1, "rejected": 3, "unit": "documents"}}


@pytest.mark.rare
def test_a_changed_extension_runs_its_stage_again_and_no_other(
    lake: Path, installed: Installed, tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    subprocess.run(["cp", "-r", str(installed.site), str(copy)], check=True)
    names = "ingest clean hosts dedup"
    told = Installed(installed.folder, copy).python(_STATES, "run.yaml", str(copy), names)
    states = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    same = dict.fromkeys(("ingest", "clean", "hosts", "dedup"), True)
    assert states[0] == same
    assert states[1] == {**same, "clean": False}
    assert states[2] == {**same, "clean": False, "hosts": False}
    assert states[3] == {**same, "clean": False, "hosts": False, "ingest": False}


@pytest.mark.rare
def test_a_package_that_is_gone_is_told_by_the_names_that_need_it(lake: Path, installed: Installed) -> None:
    gone = {"PYTHONPATH": str(ROOT)}
    told = installed.ringlake("clean", "--run", "run.yaml", code=2, env=gone)
    assert "unknown key 'hosts'" in told
    assert "needs its package installed" in told
    shown = installed.ringlake("status", "lake", env=gone)
    assert "hostless" in shown


@pytest.mark.rare
def test_the_strategy_sums_in_float64_on_two_ranks(installed: Installed) -> None:
    two, alone, identity = json.loads(installed.python(_SUMS).splitlines()[0])
    for name, gradients, numbers, sent in two:
        assert name == "DoubleSum"
        assert gradients == [1.5] * 40
        assert numbers == [2.0, 2.0]
        assert sent == 2 * (40 + 2) * 8  # what both ranks of a ring send of float64 values
    assert alone == "Single"
    # A checkpoint of another version or source of the strategy is another training's.
    assert identity["train.strategy.double_sum"].startswith("double-sum 2.1+src.")


@pytest.fixture(scope="module")
def stars(installed: Installed) -> Path:
    """The lake of the page's task, from files to the report."""
    installed.ringlake("run", "stars.yaml")
    return installed.folder / "stars-lake"


@pytest.mark.rare
def test_the_task_makes_examples_and_says_why_it_makes_none(stars: Path) -> None:
    (refused,) = rows(stars, "refused")
    assert (refused["reason"], refused["detail"]) == ("no_stars", "its label 'many' is none of 1 to 5")
    assert len(rows(stars, "tokens")) == 100


@pytest.mark.rare
def test_the_task_is_trained_and_scored_by_its_own_metric(stars: Path, installed: Installed) -> None:
    found = json.loads((stars / "evaluation.json").read_text("utf-8"))
    assert found["task"] == "stars"
    assert found["examples"] > 5
    assert 0 <= found["metrics"]["distance"] <= 4
    assert set(found["baselines"]) == {"the median of the training texts"}
    assert {shown["wanted"] for shown in found["best"]} <= set("12345")
    page = (stars / "report.html").read_text("utf-8")
    assert "the median of the training texts" in page
    # The model folder opens without the package, by the verb of the declaration.
    asked = ("classify", str(stars / "model"), "--text", "A splendid meal.")
    told = installed.ringlake(*asked, env={"PYTHONPATH": str(ROOT)})
    assert told[0] in "12345"


@pytest.mark.rare
def test_the_task_is_named_where_it_was_used(stars: Path) -> None:
    used = {row["stage"]: json.loads(row["details"]).get("extensions") for row in rows(stars, "runs")}
    task = {"group": "tasks", "name": "stars", "distribution": "stars", "version": "0.4"}
    assert {stage for stage, found in used.items() if found == [task]} == {"tokenize", "train", "evaluate"}
    assert used["pack"] is None
    page = (stars / "report.html").read_text("utf-8")
    assert "train used stars of stars 0.4." in page
    (state,) = list((stars / "checkpoints").glob("*/step-000000020/state.json"))
    identity = json.loads(state.read_text("utf-8"))["identity"]
    assert identity["task.options"] == {"distance": 0.5}
    assert identity["task.code"].startswith("stars 0.4+src.")


@pytest.mark.rare
def test_a_changed_task_runs_its_stages_again_and_no_other(
    stars: Path, installed: Installed, tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    subprocess.run(["cp", "-r", str(installed.site), str(copy)], check=True)
    names = "ingest clean dedup tokenize pack train evaluate"
    told = Installed(installed.folder, copy).python(_STATES, "stars.yaml", str(copy), names)
    states = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    same = dict.fromkeys(names.split(), True)
    assert states == [same, {**same, "tokenize": False, "train": False, "evaluate": False}]


@pytest.mark.rare
def test_a_task_whose_package_is_gone_is_told_by_its_name(stars: Path, installed: Installed) -> None:
    told = installed.ringlake("train", "--run", "stars.yaml", code=2, env={"PYTHONPATH": str(ROOT)})
    assert "task.name = 'stars' is not known" in told


@pytest.fixture
def only_here(installed: Installed) -> Iterator[Extension]:
    """An extension on the driver's path that Spark's workers do not have."""
    sys.path.insert(0, str(installed.site))
    try:
        yield Extension("rules", "polite.capitals.max", "polite-rules", "1.0", "polite_rules:CAPITALS")
    finally:
        sys.path.remove(str(installed.site))


def test_executors_without_the_package_are_told_by_its_distribution(
    spark: SparkSession, only_here: Any
) -> None:
    with pytest.raises(
        EnvironmentProblem, match=r"has no distribution polite-rules, of which the driver has"
    ):
        check_extensions(spark, [only_here])
