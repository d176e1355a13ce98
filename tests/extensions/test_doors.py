"""What is installed is found without imports, and what cannot be used is refused in words that help."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conf.errors import ConfigError
from conf.task import TaskConfig
from conf.train import TrainConfig
from pipelines import added, doors
from pipelines.clean.rules import DOOR, Rule
from pipelines.cli.main import app
from pipelines.errors import EnvironmentProblem
from pipelines.run.failure import as_ringlake_error
from pipelines.settings import load
from pipelines.stages import STAGES
from ringlake.base.extensions import Door, Extension, ExtensionError, installed, require, unknown
from ringlake.base.tasks import kind_of
from tests.extensions.support import distribution
from training.job import task_settings
from training.launch.pythons import compare
from training.tasks.make import make_task

RULE = """
from ringlake.extend import Rule
import numpy as np
def measure(stats):
    return np.zeros(len(stats))
R = Rule("{name}", measure, ">", 1.0, "", "")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path of this process; modules that are loaded from it are forgotten."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def rule(site: Path, package: str, name: str, version: str = "1.0", place: str = "", text: str = "") -> None:
    module = package.replace("-", "_")
    entries = {"ringlake.rules": {name: place or f"{module}:R"}}
    distribution(site, package, version, entries, **{module: text or RULE.format(name=name)})


def test_what_is_installed_is_known_with_its_origin_before_anything_is_loaded(site: Path) -> None:
    rule(site, "kind-rules", "kind.words.max", "3.1")
    (found,) = installed("rules")
    assert (found.name, found.origin, found.module) == ("kind.words.max", "kind-rules 3.1", "kind_rules")
    assert "kind_rules" not in sys.modules
    assert DOOR.find("kind.words.max") == found
    assert DOOR.find("gopher.words.min") is None
    loaded = DOOR.get("kind.words.max")
    assert isinstance(loaded, Rule)
    assert loaded.name == "kind.words.max"


def test_two_distributions_that_claim_one_name_are_refused(site: Path) -> None:
    rule(site, "kind-rules", "kind.words.max")
    rule(site, "other-rules", "kind.words.max", "2.0")
    with pytest.raises(ExtensionError, match=r"claimed by kind-rules 1\.0 and other-rules 2\.0; uninstall"):
        DOOR.get("kind.words.max")


def test_a_name_of_ringlakes_own_is_refused(site: Path) -> None:
    rule(site, "bold-rules", "gopher.words.min")
    with pytest.raises(ExtensionError, match=r"'gopher\.words\.min' is ringlake's own, and bold-rules 1\.0"):
        DOOR.find("gopher.words.min")


@pytest.mark.parametrize(
    ("place", "text", "words"),
    [
        ("nowhere:R", "", "ModuleNotFoundError: No module named 'nowhere'"),
        ("broken:R", "raise OSError('no such list')", "OSError: no such list"),
        ("broken:R", "S = 1", "AttributeError"),
        ("broken:R", "R = 'a rule'", "is of type str, not Rule or Step"),
        ("broken:R", RULE.format(name="other.name.max"), "calls itself 'other.name.max'"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_distribution(
    site: Path, place: str, text: str, words: str
) -> None:
    rule(site, "broken", "broken.words.max", "0.9", place, text)
    with pytest.raises(ExtensionError) as caught:
        DOOR.get("broken.words.max")
    assert "'broken.words.max' of broken 0.9" in str(caught.value)
    assert words in str(caught.value)
    assert "uninstall" in str(caught.value)


def test_the_code_of_an_extension_is_its_version_and_its_sources(site: Path) -> None:
    rule(site, "kind-rules", "kind.words.max")
    (found,) = installed("rules")
    version, _, digest = found.code.partition("+src.")
    assert (version, len(digest)) == ("1.0", 12)
    from ringlake.base import extensions

    (site / "kind_rules.py").write_text(RULE.format(name="kind.words.max") + "# more\n")
    extensions._sources_hash.cache_clear()
    assert found.code.partition("+src.")[2] != digest


def test_a_distribution_that_is_there_twice_counts_once(site: Path, tmp_path: Path) -> None:
    rule(site, "kind-rules", "kind.words.max", "2.0")
    other = tmp_path / "later"
    rule(other, "kind-rules", "kind.words.max", "1.0")
    sys.path.append(str(other))
    try:
        assert [found.origin for found in installed("rules")] == ["kind-rules 2.0"]
    finally:
        sys.path.remove(str(other))


def test_a_process_without_the_package_says_what_it_lacks(site: Path) -> None:
    rule(site, "kind-rules", "kind.words.max", "2.0")
    gone = Extension("rules", "gone.words.max", "gone-rules", "1.0", "gone_rules:R")
    with pytest.raises(ExtensionError, match=r"has no gone-rules, and the driver has .*gone-rules 1\.0"):
        require([gone])
    needed = Extension("rules", "kind.words.max", "kind-rules", "1.0", "kind_rules:R")
    with pytest.raises(ExtensionError, match=r"has it of kind-rules 2\.0, and the driver has"):
        require([needed])


def test_a_worker_that_lacks_it_ends_with_the_code_of_the_environment() -> None:
    raised = "ringlake.base.extensions.ExtensionError: lacks it"
    text = f"Job aborted\nTraceback (most recent call last):\n  x\n{raised}"
    told = as_ringlake_error("clean", RuntimeError(text))
    assert isinstance(told, EnvironmentProblem)
    assert "ExtensionError: lacks it" in str(told)
    assert isinstance(as_ringlake_error("clean", ExtensionError("two claim it")), EnvironmentProblem)


def test_a_python_of_the_cluster_without_the_distribution_is_told() -> None:
    def facts(version: str | None) -> dict[str, Any]:
        here = {"host": "n1", "executable": "py", "python": "3.11.9", "missing": [], "sources": {}}
        return {**here, "versions": {"kind-rules": version}}

    told = compare(facts("1.0"), [facts(None)], ["kind-rules"])
    assert told is not None
    assert "on n1, has no distribution kind-rules, of which the driver has 1.0" in told
    assert compare(facts("1.0"), [facts(None)]) is None
    assert compare(facts("1.0"), [facts("1.0")], ["kind-rules"]) is None


def test_faults_are_listed_and_end_with_the_code_of_the_environment(site: Path) -> None:
    rule(site, "kind-rules", "kind.words.max")
    distribution(site, "odd", "1", {"ringlake.sinks": {"s": "m:S"}, "ringlake.stages": {"clean": "m:S"}})
    told = {found.name: message for found, message in doors.look_around().items()}
    assert told["kind.words.max"] == ""
    assert "no group ringlake.sinks, which odd 1 names; its groups: ringlake.rules" in told["s"]
    assert "'clean' is ringlake's own" in told["clean"]


def test_a_close_name_is_named() -> None:
    told = unknown("ingest.format", "jsnl", ["jsonl", "csv"], ["fortune"])
    assert "'jsnl' is not known; did you mean 'jsonl'?" in told
    assert "of installed extensions: fortune" in told


STAGE = """
from ringlake.extend import Stage
S = Stage(name="late", summary="s", purpose="p", {more})
"""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("after='clen', work='a:b'", "'late' follows 'clen', which is none of ingest, clean"),
        ("after='ingest', work='a:b', reads=('corpus',)", "it reads corpus, which no stage before it writes"),
        ("after='clean', work='a:b', writes=('corpus',)", "it writes corpus, which is another stage's"),
        ("after='clean', work='a:b', writes=('late',)", "it writes late, whose definition is not among"),
        ("after='clean', work='a:b', writes=('late',), tables=('m:T',)", "its tables cannot be loaded"),
        ("after='clean', work='a:b', section='late:S'", "its section late:S has no defaults"),
        ("after='clean'", "it has neither work nor binding"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(site: Path, more: str, words: str) -> None:
    distribution(site, "late", "1.0", {"ringlake.stages": {"late": "late:S"}}, late=STAGE.format(more=more))
    with pytest.raises(ExtensionError) as caught:
        added.every_stage()
    assert words in str(caught.value)
    assert "late 1.0" in str(caught.value)


TASK = """
from ringlake.extend import Examples, ExampleMaker, Scored, TaskKind, TaskScores
class Maker(ExampleMaker):
    def make(self, rows):
        return []
E = Examples(Maker, None)
S = TaskScores(lambda asked: Scored({{}}))
def number(basis):
    return 5
T = TaskKind(name="tag", summary="s", {more})
"""


def task(site: Path, more: str) -> None:
    entries = {"ringlake.tasks": {"tag": "tagger:T"}}
    distribution(site, "tagger", "1.0", entries, tagger=TASK.format(more=more))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("training='tagger'", "training = 'tagger' of task 'tag' must look like 'module:NAME'"),
        ("training='tagger:M'", "it has no examples"),
        ("training='tagger:M', examples='tagger:X'", "cannot be loaded from 'tagger:X' (AttributeError"),
        ("training='tagger:M', examples='tagger:S'", "is of type TaskScores, not Examples"),
        ("training='nowhere:M', examples='tagger:E'", "there is no module 'nowhere' for its training"),
        ("training='nowhere.in:M', examples='tagger:E'", "there is no module 'nowhere.in' for its training"),
        ("training='tagger:M', examples='tagger:E', verb='tag'", "its verb 'tag' is none of generate"),
        ("training='tagger:M', examples='tagger:E', scores='tagger:S'", "nobody to ask"),
        ("training='tagger:M', examples='tagger:E', options='tagger:Maker'", "no ringlake.extend.Section"),
    ],
)
def test_a_task_that_cannot_be_used_is_refused_before_the_run(site: Path, more: str, words: str) -> None:
    task(site, more)
    with pytest.raises(ExtensionError) as caught:
        load(None, ["task.name=tag"])
    assert words in str(caught.value)
    assert "tagger 1.0" in str(caught.value)
    (told,) = doors.look_around().values()
    assert words in told


def test_a_task_takes_the_options_that_it_declares(site: Path) -> None:
    task(site, "training='tagger:M', examples='tagger:E'")
    assert load(None, ["task.name=tag"]).task.name == "tag"
    with pytest.raises(ConfigError, match=r"task\.options\.a = 1: .* the options of 'tag': none"):
        load(None, ["task.name=tag", "task.options={a: 1}"])
    with pytest.raises(ConfigError, match=r"options = \{'a': 1\} are for a task of another package"):
        load(None, ["task.name=translation", "task.options={a: 1}"])


def test_a_task_that_nobody_adds_is_told_with_close_names(site: Path) -> None:
    task(site, "training='tagger:M', examples='tagger:E'")
    with pytest.raises(ConfigError, match=r"'translate' is not known; did you mean 'translation'\?"):
        load(None, ["task.name=translate"])
    # On a rank without the package, or where a declaration is asked by its name.
    with pytest.raises(ExtensionError, match=r"'tags' is not known; did you mean 'tag'\?.*extensions: tag"):
        kind_of("tags")


def test_what_a_rank_trains_with_must_be_a_task(site: Path) -> None:
    tokenizer: Any = None
    task(site, "training='tagger:number', examples='tagger:E'")
    with pytest.raises(ExtensionError, match="is of type int, not Task"):
        make_task("tag", TrainConfig(), {}, tokenizer)


def test_what_a_rank_cannot_load_is_told_with_its_distribution(site: Path) -> None:
    tokenizer: Any = None
    task(site, "training='tagger:nothing', examples='tagger:E'")
    with pytest.raises(ExtensionError, match=r"training of the task 'tag' of tagger 1\.0 cannot be loaded"):
        make_task("tag", TrainConfig(), {}, tokenizer)


def test_the_code_and_the_options_of_a_task_belong_to_a_training(site: Path) -> None:
    task(site, "training='tagger:M', examples='tagger:E'")
    found = task_settings(TaskConfig(name="tag", options={"a": 1}))
    assert (found["name"], found["options"]) == ("tag", {"a": 1})
    assert found["code"].startswith("tagger 1.0+src.")
    assert task_settings(TaskConfig(name="instruct")) == {"name": "instruct"}
    assert task_settings(TaskConfig()) == {}


def test_without_extensions_the_stages_and_the_model_are_ringlakes_own() -> None:
    from conf import RunConfig

    assert added.every_stage() == STAGES
    assert added.run_model(added.every_stage()) is RunConfig


def test_no_stage_may_have_the_name_of_a_command() -> None:
    import typer

    commands: Any = typer.main.get_command(app)
    assert set(commands.commands) - {stage.name for stage in STAGES} == added.COMMANDS


def test_each_kind_has_one_door() -> None:
    groups = [door.group for door in doors.doors()]
    assert groups == ["rules", "formats", "strategies", "tasks", "stages"]
    assert all(isinstance(door, Door) for door in doors.doors())


def test_what_packages_lean_on_is_there_documented_and_light() -> None:
    import inspect

    from ringlake import extend

    for name in extend.__all__:
        assert inspect.getdoc(getattr(extend, name)), name
    program = (
        "import sys; from ringlake.extend import Stage; "
        "print({'pyspark', 'torch', 'pyarrow', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
