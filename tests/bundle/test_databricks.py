"""The bundle for Databricks: the vendor's models take it, our rules see what those do not, its parts work."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conf.errors import ConfigError
from pipelines.bundle.databricks.build import build_databricks
from pipelines.bundle.databricks.installed import lacking
from pipelines.bundle.databricks.job import bundle, job
from pipelines.bundle.databricks.options import DatabricksOptions
from pipelines.bundle.databricks.rules import check
from pipelines.bundle.databricks.task import TaskFailedError, carry_out
from pipelines.bundle.documents import write_yaml
from pipelines.bundle.wheel import write_wheel
from pipelines.cli.main import run
from pipelines.run.version import code_version
from tests.support.sites import site

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("ingest", "clean", "dedup", "tokenize", "pack", "train", "evaluate", "generate", "report")

VARIANTS: dict[str, dict[str, Any]] = {
    "cpu": {},
    "cpu, ranks": {"ranks": 4, "cloud": "azure"},
    "cpu, single node": {"workers": 0, "max_workers": 0, "cloud": "gcp"},
    "gpu, single node": {"workers": 0, "gpus": 1, "cloud": "azure"},
    "gpu": {"gpus": 1, "cloud": "gcp"},
    "gpus": {"train_node_type": "p4d.24xlarge", "workers": 4},
    "all": {
        "train_node_type": "own.type",
        "cores": 32,
        "gpus": 4,
        "schedule": "0 15 3 * * ?",
        "timezone": "Asia/Shanghai",
        "notify": ("team@example.org", "me@example.org"),
        "secret": ("HF_TOKEN=ringlake/hub",),
        "tag": ("team=search",),
        "set": ("train.steps=5",),
        "lake": "abfss://data@account.dfs.core.windows.net/lake",
    },
}

ASK_VENDOR = """
import sys, yaml
from databricks.bundles.jobs import Job
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        jobs = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["resources"]["jobs"]
    for job in jobs.values():
        try:
            made = Job.from_dict(job).as_dict()
        except ValueError as error:
            print("refused:", error)
        else:
            print(len(made["tasks"]), len(made["job_clusters"]))
"""


def trees(**options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    chosen = DatabricksOptions(**options)
    return bundle(chosen), job(chosen, STAGES)


def job_of(resources: dict[str, Any]) -> dict[str, Any]:
    made = resources["resources"]["jobs"]["ringlake"]
    assert isinstance(made, dict)
    return made


def clusters_of(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["job_cluster_key"]: item["new_cluster"] for item in job_of(resources)["job_clusters"]}


def ask_vendor(*paths: Path) -> subprocess.CompletedProcess[str]:
    place = site("databricks-bundles", Path(__file__).with_name("databricks.txt"))
    yaml_at = Path(yaml.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", ASK_VENDOR, *map(str, paths)],
        env=os.environ | {"PYTHONPATH": f"{place}{os.pathsep}{yaml_at}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_vendors_models_take_every_variant_and_refuse_an_unknown_field(tmp_path: Path) -> None:
    paths = []
    for name, options in VARIANTS.items():
        paths.append(tmp_path / f"{name}.yml")
        write_yaml(paths[-1], trees(**options)[1])
    _, wrong = trees()
    job_of(wrong)["tasks"][0]["max_retrys"] = 1
    write_yaml(tmp_path / "wrong.yml", wrong)
    told = ask_vendor(*paths, tmp_path / "wrong.yml")
    assert told.returncode == 0, told.stderr
    *lines, refused = told.stdout.splitlines()
    # Two single nodes of one type are one cluster.
    assert lines == ["9 2", "9 2", "9 1", "9 2", "9 2", "9 2", "9 2"]
    assert refused == "refused: Unexpected field 'max_retrys' for class Task"


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_keeps_the_rules(options: dict[str, Any]) -> None:
    check(*trees(**options))


def test_the_etl_scales_and_training_does_not() -> None:
    _, resources = trees(train_node_type="g5.12xlarge", workers=3, max_workers=6)
    clusters = clusters_of(resources)
    assert clusters["etl"]["autoscale"] == {"min_workers": 2, "max_workers": 6}
    assert clusters["etl"]["spark_version"] == "18.x-cpu-ml-scala2.13"
    training = clusters["training"]
    assert training["num_workers"] == 3
    assert "autoscale" not in training
    assert training["spark_version"] == "18.x-gpu-ml-scala2.13"
    # 48 cores and 4 cards: a rank has a card and a quarter of the cores.
    assert training["spark_conf"]["spark.task.resource.gpu.amount"] == "1"
    assert training["spark_conf"]["spark.task.cpus"] == "12"
    assert training["spark_conf"]["spark.dynamicAllocation.enabled"] == "false"
    tasks = {task["task_key"]: task for task in job_of(resources)["tasks"]}
    assert "train.num_ranks=12" in tasks["train"]["spark_python_task"]["parameters"]
    places = [tasks[stage]["job_cluster_key"] for stage in STAGES]
    assert places == ["etl"] * 5 + ["training"] * 4
    assert tasks["train"]["depends_on"] == [{"task_key": "pack"}]


def at(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """What changes a value in the job; the path's parts are keys and indexes; None takes it out."""

    def change(made: dict[str, Any]) -> None:
        place: Any = made
        *parts, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        for part in parts:
            place = place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return change


ETL = "job_clusters/0/new_cluster"
TRAINING = "job_clusters/1/new_cluster"
BROKEN = {
    "a barrier stage on a cluster that scales": (
        at(f"{TRAINING}/autoscale", {"min_workers": 1, "max_workers": 2}),
        r"task train: its cluster autoscales .* set num_workers",
    ),
    "dynamic allocation": (
        at(f"{TRAINING}/spark_conf/spark.dynamicAllocation.enabled", "true"),
        "spark.dynamicAllocation.enabled: false",
    ),
    "two ranks a card": (
        at(f"{TRAINING}/spark_conf/spark.task.resource.gpu.amount", "0.5"),
        "spark.task.resource.gpu.amount must be 1",
    ),
    "more ranks than slots": (
        at(f"{TRAINING}/num_workers", 1),
        "train.num_ranks is 2, but 1 machines of type g5.2xlarge have 1 task slots",
    ),
    "standard access": (at(f"{ETL}/data_security_mode", "USER_ISOLATION"), "only dedicated access"),
    "no ML runtime": (at(f"{ETL}/spark_version", "18.x-scala2.13"), "is no ML runtime"),
    "an old runtime": (at(f"{ETL}/spark_version", "15.4.x-cpu-ml-scala2.13"), "Spark 4.1"),
    "GPUs without their runtime": (
        at(f"{TRAINING}/spark_version", "18.x-cpu-ml-scala2.13"),
        "has 1 GPUs, spark_version is 18.x-cpu-ml",
    ),
    "no type of machine": (at(f"{ETL}/node_type_id", None), "no node_type_id"),
    "no size": (at(f"{ETL}/autoscale", None), "neither or both"),
    "a size upside down": (at(f"{ETL}/autoscale/min_workers", 9), "from 9 to 8 workers"),
    "an init script elsewhere": (
        at(f"{ETL}/init_scripts/0/volumes/destination", "/Workspace/init.sh"),
        "init script is '/Workspace/init.sh'; it has to lie in /Volumes",
    ),
    "an init script on DBFS": (
        at(f"{ETL}/init_scripts/0", {"dbfs": {"destination": "dbfs:/init.sh"}}),
        "it has to lie in /Volumes",
    ),
    "a secret in the environment": (
        at(f"{ETL}/spark_env_vars/AWS_SECRET_ACCESS_KEY", "wJalr"),
        "AWS_SECRET_ACCESS_KEY in plain text",
    ),
    "a secret in Spark's settings": (
        at(f"{ETL}/spark_conf/fs.azure.account.key.a.dfs.core.windows.net", "a2V5"),
        "in plain text; write {{secrets/SCOPE/KEY}}",
    ),
    "a library that is fetched": (
        at("tasks/0/libraries", [{"pypi": {"package": "ringlake"}}]),
        "put its wheel into the volume",
    ),
    "a task on no cluster": (at("tasks/1/job_cluster_key", "other"), "on no cluster of this job"),
    "endless attempts": (at("tasks/1/max_retries", -1), "would never end"),
    "no timeout": (at("tasks/1/timeout_seconds", None), "no timeout_seconds"),
    "two runs at once": (at("max_concurrent_runs", 2), "two runs cannot write to one lake"),
    "a lake in a volume": (at("parameters/1/default", "/Volumes/a/b/c/lake"), "external location"),
    "a schedule in dev": (at("schedule/pause_status", "UNPAUSED"), "dev: job ringlake: its schedule runs"),
}


def test_a_lake_may_be_a_schema_with_a_volume_for_its_files() -> None:
    lake = "unity://main.corpus/Volumes/main/corpus/files/lake"
    made, resources = trees(gpus=1, lake=lake)
    check(made, resources)
    assert made["variables"]["lake"]["default"] == lake


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_bundle_is_refused_with_its_reason(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    made, resources = trees(gpus=1, lake="s3://bucket/lake", schedule="0 15 3 * * ?")
    check(made, resources)
    broken = copy.deepcopy(resources)
    change(job_of(broken))
    with pytest.raises(ConfigError, match=message):
        check(made, broken)


WRONG_OPTIONS = {
    "a place": ({"catalog": "${var.x}"}, "--catalog is .* takes letters"),
    "a slash": ({"volume": "../other"}, "--volume"),
    "a volume as lake": ({"lake": "/Volumes/a/b/c"}, "holds files and no tables"),
    "names without a volume": ({"lake": "unity://main.corpus/tmp/lake"}, "which is no volume"),
    "names without a schema": ({"lake": "unity://main/Volumes/a/b/c"}, "CATALOG.SCHEMA/FOLDER"),
    "a password": ({"lake": "s3://me:pass@bucket/lake"}, "--secret"),
    "a setting with a place": ({"set": ("train.steps={{job.id}}",)}, "place that the platform fills"),
    "a secret setting": ({"set": ("spark.conf.fs.s3a.secret.key=abc",)}, "would put a secret into a file"),
    "a secret in plain": ({"secret": ("HF_TOKEN=hf_abcdef",)}, "--secret HF_TOKEN=ringlake/hub"),
    "a cloud": ({"cloud": "ours"}, "aws, azure, gcp"),
    "five fields": ({"schedule": "15 3 * * *"}, "Quartz"),
    "both days": ({"schedule": "0 15 3 * * *"}, "exactly one of day of month"),
    "a zone": ({"timezone": "Mars/Base"}, "no zone"),
    "an unknown machine": ({"train_node_type": "z9.huge"}, "--cores N --gpus N"),
    "other GPUs": ({"train_node_type": "g5.12xlarge", "gpus": 2}, "has 4"),
    "cards on one node": ({"train_node_type": "g5.12xlarge", "workers": 0}, "take --workers 1"),
    "an address": ({"notify": ("me@localhost\nx",)}, "electronic mail"),
    "workers": ({"min_workers": 9}, "number from 1 to 8"),
    "no folder": ({"wheels": "/nowhere"}, "is no folder"),
}


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS)
def test_a_wrong_option_is_named_with_its_remedy(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as told:
        DatabricksOptions(**options)
    assert "pass@" not in str(told.value)


@settings(max_examples=50)
@given(text=st.text(max_size=30))
@example(text="x: y\n- {{job.id}}")
@example(text="!!python/object:os.system")
@example(text="*anchor")
@example(text="yes")
@example(text="\x85")
def test_a_text_of_the_user_is_refused_or_stays_what_it_is(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        options = DatabricksOptions(set=(f"name={text}",))
    except ConfigError:
        return
    path = tmp_path_factory.getbasetemp() / "text.yml"
    write_yaml(path, job(options, STAGES[:1]))
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    words = job_of(written)["tasks"][0]["spark_python_task"]["parameters"]
    assert words[-1] == f"name={text}"
    assert "{{" not in text


def test_a_failure_that_would_come_again_is_not_tried_again(tmp_path: Path) -> None:
    mark = tmp_path / "attempts" / "1-2-0-clean.json"
    words = ["clean", "--run", str(tmp_path / "no-such.yaml")]
    with pytest.raises(TaskFailedError, match="exit code 2: another attempt would fail as well") as first:
        carry_out(mark, words, run)
    assert first.value.exit_code == 2
    calls: list[list[str]] = []

    def count(argv: list[str]) -> int:
        calls.append(argv)
        return 0

    with pytest.raises(TaskFailedError, match="earlier attempt ended with exit code 2") as second:
        carry_out(mark, words, count)
    assert second.value.exit_code == 2
    assert calls == []
    # A repaired run has another mark.
    carry_out(tmp_path / "attempts" / "1-2-1-clean.json", ["version"], run)
    assert [path.name for path in mark.parent.iterdir()] == [mark.name]


@pytest.mark.parametrize("code", [4, 5, 130])
def test_what_may_pass_leaves_no_mark(code: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark.json"
    with pytest.raises(TaskFailedError, match="may help"):
        carry_out(mark, ["train"], lambda _argv: code)
    assert not mark.exists()
    carry_out(mark, ["train"], lambda _argv: 0)


def test_the_init_script_installs_the_wheels_without_a_network_and_nothing_else(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    with zipfile.ZipFile(own / "thing-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("thing.py", "value = 7\n")
        archive.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr(
            "thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("thing-1.0.dist-info/RECORD", "")
    said: list[str] = []
    build_databricks(tmp_path / "made", DatabricksOptions(wheels=str(own)), said.append)
    assert any("horovod and petastorm not among them" in line for line in said)
    volume = tmp_path / "made" / "volume"
    # What the runtime has is this Python's; pip puts what it installs into a folder of its own.
    packages = tmp_path / "packages"
    environment = {
        "PATH": "/usr/bin:/bin",
        "RINGLAKE_PYTHON": sys.executable,
        "RINGLAKE_WHEELS": str(volume / "wheels"),
        "PIP_TARGET": str(packages),
        "PIP_NO_COMPILE": "1",
        "PIP_INDEX_URL": "http://127.0.0.1:9/none",
        "PYTHONPATH": str(packages),
        "HOME": str(tmp_path),
    }
    script = volume / "init.sh"

    def install(**changes: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(script)]
        return subprocess.run(
            command,
            env=environment | changes,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=tmp_path,
        )

    done = install()
    assert done.returncode == 0, done.stderr
    ask = (
        "import thing, ringlake; from pipelines.run.version import code_version;"
        "print(ringlake.__file__, code_version())"
    )
    told = subprocess.run(
        [sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    place, version = told.stdout.split()
    assert place.startswith(str(packages)), "the wheel's ringlake, not the checkout's"
    assert version == code_version()
    (volume / "wheels" / "thing-1.0-py3-none-any.whl").write_bytes(b"changed")
    tampered = install()
    assert tampered.returncode != 0
    assert "hash" in tampered.stderr.lower()
    assert install(RINGLAKE_WHEELS=str(tmp_path)).returncode == 1


def test_what_a_cluster_lacks_is_named() -> None:
    found = lacking(
        ["pyspark>=99", "numpy>=1", "numpy>=999", "no-such-thing>=1; extra == 'x'", "no-such-thing>=2"]
    )
    assert [line.split(" ")[0] for line in found] == ["numpy>=999", "no-such-thing>=2"]


WHEELS = {
    "the runtime's own": ("pyspark-4.1.0-py3-none-any.whl", "in the place of the runtime's own pyspark"),
    "another Python": ("thing-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", "not for Python 3.12"),
    "another processor": ("thing-1.0-cp312-cp312-manylinux_2_17_aarch64.whl", "not for Python 3.12"),
    "no wheel": ("thing.whl", "no name of a wheel"),
}


@pytest.mark.parametrize(("name", "message"), WHEELS.values(), ids=WHEELS)
def test_a_wheel_that_does_not_fit_is_refused(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ConfigError, match=message):
        build_databricks(tmp_path / "made", DatabricksOptions(wheels=str(tmp_path)), print)


def test_wheels_that_fit_are_listed_with_their_hashes(tmp_path: Path) -> None:
    names = [
        "horovod-0.28.1-cp312-cp312-linux_x86_64.whl",
        "petastorm-0.13.1-py2.py3-none-any.whl",
        "safe-2.0-cp39-abi3-manylinux_2_17_x86_64.whl",
    ]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    said: list[str] = []
    build_databricks(tmp_path / "made", DatabricksOptions(wheels=str(tmp_path)), said.append)
    listed = (tmp_path / "made" / "volume" / "wheels" / "requirements.txt").read_text(encoding="utf-8")
    assert [line.split(" ")[0].split("==")[0] for line in listed.splitlines()] == [
        "horovod",
        "petastorm",
        "ringlake",
        "safe",
    ]
    assert all("--hash=sha256:" in line for line in listed.splitlines())
    assert len(said) == 1, said
    (tmp_path / "safe-1.0-py3-none-any.whl").write_bytes(b"")
    with pytest.raises(ConfigError, match="safe more than once"):
        build_databricks(tmp_path / "made", DatabricksOptions(wheels=str(tmp_path)), print)


def test_equal_sources_give_an_equal_wheel(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (write_wheel(tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_run_file_with_a_secret_is_not_shipped(tmp_path: Path) -> None:
    run_file = tmp_path / "run.yaml"
    run_file.write_text("spark: {conf: {spark.hadoop.fs.s3a.secret.key: abcdef}}\n")
    with pytest.raises(ConfigError, match="shipped in plain text") as told:
        build_databricks(tmp_path / "made", DatabricksOptions(run=str(run_file)), print)
    assert "abcdef" not in str(told.value)
    assert not (tmp_path / "made").exists()


def test_the_command_writes_the_bundle_and_says_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a folder"
    assert (
        run(["bundle", "--databricks", "--out", str(out), "--gpus", "1", "--tag", "a=b", "--tag", "c=d"]) == 0
    )
    printed = capsys.readouterr().out
    assert f"cd '{out}'" in printed
    assert "--var lake=" in printed
    made = yaml.safe_load((out / "databricks.yml").read_text(encoding="utf-8"))
    assert made["targets"]["dev"]["mode"] == "development"
    assert made["targets"]["prod"]["mode"] == "production"
    assert made["variables"]["lake"].keys() == {"description"}
    for name in made["include"]:
        resources = yaml.safe_load((out / name).read_text(encoding="utf-8"))
        for task in job_of(resources)["tasks"]:
            program = (out / name).parent / task["spark_python_task"]["python_file"]
            compile(program.read_text(encoding="utf-8"), str(program), "exec")
    assert job_of(resources)["tags"] == {"project": "ringlake", "job": "ringlake", "a": "b", "c": "d"}
    assert run(["bundle", "--gpus", "1", "--out", str(out)]) == 2
    assert "--gpus: options of a platform" in capsys.readouterr().err


def test_the_marks_name_run_repair_and_task() -> None:
    _, resources = trees()
    marks = [task["spark_python_task"]["parameters"][0] for task in job_of(resources)["tasks"]]
    assert len(set(marks)) == len(STAGES)
    assert all("{{job.run_id}}-{{job.repair_count}}" in mark for mark in marks)
    assert json.dumps(marks)
