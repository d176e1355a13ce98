"""The bundle for Kubernetes: schemas take it, our rules see what those do not, the image's steps work."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conf.errors import ConfigError
from pipelines.bundle.build import build_bundle
from pipelines.bundle.documents import write_yaml
from pipelines.bundle.kubernetes.build import build_kubernetes
from pipelines.bundle.kubernetes.dockerfile import steps, text
from pipelines.bundle.kubernetes.manifests import manifests
from pipelines.bundle.kubernetes.options import KubernetesOptions
from pipelines.bundle.kubernetes.rules import check
from pipelines.cli.main import run
from pipelines.run.version import code_version
from ringlake.base.outcomes import Outcome, outcome_of
from ringlake.base.trees import yaml_text
from tests.support.sites import site

VARIANTS: dict[str, dict[str, Any]] = {
    "cpu": {},
    "cluster": {
        "mode": "cluster",
        "lake": "s3://bucket/lake",
        "secret": ("AWS_SECRET_ACCESS_KEY=store/key",),
    },
    "gpus": {"gpus": 2, "cores": 8, "storage_class": "fast.ssd", "secret": ("HF_TOKEN=hub/token",)},
    "gpus, cluster": {"gpus": 1, "mode": "cluster"},
    "all": {
        "name": "corpus",
        "namespace": "research",
        "image": "registry.example.org:5000/team/ringlake@sha256:" + "0" * 64,
        "workers": 4,
        "ranks": 2,
        "tag": ("team=search", "example.org/cost=a.b"),
        "set": ("train.steps=5",),
    },
}

ASK = """
import json, sys, yaml, kubernetes_validate
from kubeflow_spark_api.models.spark_v1beta2_spark_application import SparkV1beta2SparkApplication
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        documents = list(yaml.load_all(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    for document in documents:
        kind = document["kind"]
        try:
            if kind == "SparkApplication":
                # The models leave out what they do not know.
                back = SparkV1beta2SparkApplication.from_dict(document).to_dict()
                assert back == document, "a field is unknown"
            else:
                kubernetes_validate.validate(document, "1.36", strict=True)
        except Exception as error:
            print("refused", kind, str(error).splitlines()[0])
        else:
            print("taken", kind)
"""
PARSE = """
import io, json, sys
from dockerfile_parse import DockerfileParser
with open(sys.argv[1], "rb") as file:
    print(json.dumps(DockerfileParser(fileobj=io.BytesIO(file.read())).structure))
"""


def ask(program: str, *paths: Path) -> str:
    place = site("kubernetes", Path(__file__).with_name("kubernetes.txt"))
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, paths)],
        env=os.environ | {"PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def made(**options: Any) -> dict[str, list[dict[str, Any]]]:
    return manifests(KubernetesOptions(**options), "lake: x\n", "4.1.1")


def containers(files: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    spec = files["job.yaml"][0]["spec"]["template"]["spec"]
    return {one["name"]: one for one in [*spec.get("initContainers", ()), *spec["containers"]]}


def conf_of(container: dict[str, Any]) -> dict[str, str]:
    words = container["args"]
    return dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "--conf")


def test_the_published_schemas_take_every_variant_and_refuse_unknown_fields(tmp_path: Path) -> None:
    wanted, paths = [], []
    for name, options in VARIANTS.items():
        files = made(**options)
        documents = [document for group in files.values() for document in group]
        templates = files["configmap.yaml"][0]["data"]
        documents += [yaml.safe_load(value) for key, value in templates.items() if key != "run.yaml"]
        paths.append(tmp_path / f"{name}.yaml")
        write_yaml(paths[-1], *documents)
        wanted += [f"taken {document['kind']}" for document in documents]
    wrong = made()
    wrong["job.yaml"][0]["spec"]["backoffLimits"] = 2
    wrong["sparkapplication.yaml"][0]["spec"]["driver"]["serviceAcount"] = "x"
    write_yaml(tmp_path / "wrong.yaml", wrong["job.yaml"][0], wrong["sparkapplication.yaml"][0])
    told = ask(ASK, *paths, tmp_path / "wrong.yaml").splitlines()
    assert told[:-2] == wanted
    assert told[-2].startswith("refused Job")
    assert told[-1] == "refused SparkApplication a field is unknown"


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_keeps_the_rules(options: dict[str, Any]) -> None:
    check(made(**options))


def test_the_job_retries_what_may_pass_and_nothing_else() -> None:
    for mode in ("client", "cluster"):
        spec = made(mode=mode, retries=3)["job.yaml"][0]["spec"]
        assert spec["backoffLimit"] == 3
        final = spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"]
        known = {code for code in range(1, 10) if outcome_of(code) is Outcome.FAIL} & {1, 2, 3, 6, 7}
        # In cluster mode spark-submit has the code 1 for everything.
        assert set(final) == known - ({1} if mode == "cluster" else set())
        assert all(outcome_of(code) is Outcome.FAIL for code in final)


def test_ranks_have_a_slot_each_and_etl_no_cards() -> None:
    files = made(gpus=2, cores=8, workers=3)
    found = containers(files)
    training, etl = conf_of(found["ringlake"]), conf_of(found["etl"])
    assert training["spark.executor.resource.gpu.amount"] == "2"
    assert training["spark.task.resource.gpu.amount"] == "1"
    assert training["spark.task.cpus"] == "4"
    assert "train.num_ranks=6" in found["ringlake"]["args"]
    assert not [key for key in etl if "gpu" in key]
    assert etl["spark.task.cpus"] == "1"
    assert found["etl"]["args"][-2:] == ["--until", "pack"]
    application = files["sparkapplication.yaml"][0]["spec"]
    assert "train.num_ranks=6" in application["arguments"]
    assert (application["executor"]["instances"], application["executor"]["cores"]) == (3, 8)


def test_driver_and_executors_are_reached_by_their_own_job_alone() -> None:
    files = made(name="corpus", tag=("team=search",))
    policy = files["networkpolicy.yaml"][0]["spec"]
    chosen = policy["podSelector"]["matchLabels"]
    assert policy["ingress"] == [{"from": [{"podSelector": {"matchLabels": chosen}}]}]
    driver = files["job.yaml"][0]["spec"]["template"]["metadata"]["labels"]
    executor = yaml.safe_load(files["configmap.yaml"][0]["data"]["executor.yaml"])["metadata"]["labels"]
    application = files["sparkapplication.yaml"][0]["spec"]
    for labels in (driver, executor, application["driver"]["labels"], application["executor"]["labels"]):
        assert chosen.items() <= labels.items()
    service = files["service.yaml"][0]
    assert service["spec"]["selector"].items() <= driver.items()
    assert not service["spec"]["selector"].items() <= executor.items()
    host = conf_of(containers(files)["ringlake"])["spark.driver.host"]
    assert host == f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"


def test_the_disk_of_shuffles_is_one_that_spark_knows() -> None:
    claimed, plain = (conf_of(containers(made(storage_class=name))["ringlake"]) for name in ("fast", ""))
    prefix = "spark.kubernetes.executor.volumes"
    assert claimed[f"{prefix}.persistentVolumeClaim.spark-local-dir-1.options.claimName"] == "OnDemand"
    assert claimed[f"{prefix}.persistentVolumeClaim.spark-local-dir-1.options.storageClass"] == "fast"
    assert plain[f"{prefix}.emptyDir.spark-local-dir-1.options.sizeLimit"] == "50Gi"


def change_conf(key: str, value: str) -> Callable[[dict[str, list[dict[str, Any]]]], None]:
    def change(files: dict[str, list[dict[str, Any]]]) -> None:
        words = containers(files)["ringlake"]["args"]
        place = next(i for i, word in enumerate(words) if word.startswith(f"{key}="))
        words[place] = f"{key}={value}"

    return change


def add_variable(files: dict[str, list[dict[str, Any]]]) -> None:
    containers(files)["ringlake"]["env"].append({"name": "HF_TOKEN", "value": "hf_abc"})


BROKEN: dict[str, tuple[Callable[[dict[str, list[dict[str, Any]]]], Any], str]] = {
    "dynamic allocation": (change_conf("spark.dynamicAllocation.enabled", "true"), "barrier stage needs"),
    "the operator's": (
        lambda files: files["sparkapplication.yaml"][0]["spec"].update(dynamicAllocation={"enabled": True}),
        "dynamicAllocation is there",
    ),
    "half a card": (change_conf("spark.task.resource.gpu.amount", "0.5"), "must be 1"),
    "too few executors": (
        change_conf("spark.executor.instances", "1"),
        "is 2, but the executors have 1 slots",
    ),
    "an image without a tag": (
        lambda files: containers(files)["ringlake"].update(image="ringlake"),
        "no tag, or latest",
    ),
    "latest": (
        lambda files: containers(files)["ringlake"].update(image="ringlake:latest"),
        "no tag, or latest",
    ),
    "a secret": (add_variable, "HF_TOKEN has a secret in plain text"),
    "a secret word": (
        lambda files: containers(files)["ringlake"]["args"].extend(
            ["--conf", "spark.hadoop.fs.s3a.secret.key=a", "x"]
        ),
        "in the command line",
    ),
    "no network policy": (lambda files: files.pop("networkpolicy.yaml"), "no NetworkPolicy"),
    "a large run file": (
        lambda files: files["configmap.yaml"][0]["data"].update({"run.yaml": "#" * 1_000_001}),
        "shorten the run file",
    ),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_manifest_is_refused_with_its_reason(
    change: Callable[[dict[str, list[dict[str, Any]]]], Any], message: str
) -> None:
    files = made(gpus=1)
    check(files)
    broken = copy.deepcopy(files)
    change(broken)
    with pytest.raises(ConfigError, match=re.escape(message)):
        check(broken)


WRONG_OPTIONS = {
    "a name": ({"name": "Ringlake"}, "--name"),
    "a namespace": ({"namespace": "a; rm -rf /"}, "--namespace"),
    "an image": ({"image": "ringlake"}, "with a tag or a digest"),
    "latest": ({"image": "ringlake:latest"}, "latest is another image tomorrow"),
    "a variable": ({"set": ("name=$(POD_NAME)",)}, "place that the platform fills"),
    "a path": ({"lake": "/data/lake"}, "pods do not share"),
    "a size": ({"shuffle_size": "50GB"}, "Mi, Gi or Ti"),
    "no workers": ({"workers": 0}, "from 1 to 1000"),
    "a secret": ({"secret": ("HF_TOKEN=hf_abc",)}, "--secret HF_TOKEN=hub/token"),
    "a label by which pods are chosen": ({"tag": ("app.kubernetes.io/name=x",)}, "take another key"),
    "more ranks than cores": ({"gpus": 8, "cores": 4}, "raise --cores"),
    "a mode": ({"mode": "local"}, "client or cluster"),
}


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS)
def test_a_wrong_option_is_named_with_its_remedy(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        KubernetesOptions(**options)


@settings(max_examples=50)
@given(value=st.text(max_size=30))
@example(value="a\n---\nkind: Secret")
@example(value="{a: &b [*b]}")
@example(value="0o7")
def test_a_text_of_the_user_is_refused_or_stays_what_it_is(value: str) -> None:
    try:
        options = KubernetesOptions(set=(f"name={value}",))
    except ConfigError:
        return
    documents = manifests(options, "", "4.1.1")["job.yaml"]
    [back] = yaml.safe_load_all(yaml_text(*documents))
    assert back["spec"]["template"]["spec"]["containers"][0]["args"][-1] == f"name={value}"


def without_network() -> list[str]:
    """What starts a command where no network is, if this machine lets us."""
    words = ["unshare", "--user", "--map-root-user", "--net"]
    can = (
        shutil.which("unshare")
        and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    )
    return words if can else []


def test_the_steps_of_the_image_work_in_a_folder(tmp_path: Path) -> None:
    context, root = tmp_path / "image", tmp_path / "root"
    bundle = build_bundle(context, print, environment=False)
    (context / "gpus.sh").write_text("#!/bin/sh\n")
    # Stands for the packed environment, which tests/bundle/test_bundle.py unpacks: this very Python.
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    with tarfile.open(context / "environment.tar.gz", "w:gz") as archive:
        archive.add(python, "bin/python")
    code = Path(bundle["code"]).name
    (context / "Dockerfile").write_text(text(steps("apache/spark:4", code, environment="environment.tar.gz")))
    parsed = json.loads(ask(PARSE, context / "Dockerfile"))
    environment = {"PATH": "/usr/bin:/bin", "PREFIX": str(root), "HOME": str(tmp_path)}
    printed, done = "", []
    for step in parsed:
        word, value = step["instruction"], step["value"]
        done.append(word)
        if word in ("COPY", "ADD"):
            copy_into(root, context, json.loads(value.removeprefix("--chmod=755 ")), unpack=word == "ADD")
        elif word == "ENV":
            name, _, setting = value.partition("=")
            environment[name] = setting.replace("/opt/", f"{root}/opt/")
        elif word == "RUN":
            command = [*without_network(), "sh", "-ec", value]
            told = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                cwd=tmp_path,
            )
            assert told.returncode == 0, (value, told.stderr)
            printed += told.stdout
    assert done.count("RUN") == 2
    assert printed.strip() == code_version()
    assert (root / "opt/ringlake/run").is_dir()
    assert list((root / "opt/spark/jars").glob("*.jar"))
    assert (root / "opt/ringlake/main.py").is_file()
    users = [step["value"] for step in parsed if step["instruction"] == "USER"]
    assert users[-1] == "185", "pods run without root"


def copy_into(root: Path, context: Path, words: list[str], *, unpack: bool) -> None:
    """COPY and ADD as Docker does them: a folder's content, a file, an archive unpacked."""
    *sources, target = words
    place = root / target.lstrip("/")
    place.mkdir(parents=True, exist_ok=True)
    for source in sources:
        path = context / source
        if unpack:
            with tarfile.open(path) as archive:
                archive.extractall(place, filter="data")
        elif path.is_dir():
            shutil.copytree(path, place, dirs_exist_ok=True)
        else:
            shutil.copy(path, place)


def test_the_command_writes_manifests_and_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_file = tmp_path / "run.yaml"
    run_file.write_text("name: mine\n# colons: and {braces}\ningest: {inputs: ['s3://b/*.jsonl']}\n")
    out = tmp_path / "made"
    words = ["bundle", "--kubernetes", "--no-environment", "--out", str(out), "--run", str(run_file)]
    assert run([*words, "--gpus", "1"]) == 0
    printed = capsys.readouterr().out
    assert "kubectl apply -f rbac.yaml" in printed
    assert "environment: not packed" in printed
    kinds = [
        one["kind"] for path in sorted(out.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())
    ]
    accounts = ["Role", "RoleBinding", "Service", "ServiceAccount", "SparkApplication"]
    assert sorted(kinds) == ["ConfigMap", "Job", "NetworkPolicy", "PersistentVolumeClaim", *accounts]
    config = yaml.safe_load((out / "configmap.yaml").read_text())
    assert config["data"]["run.yaml"] == run_file.read_text()
    assert (out / "image" / "Dockerfile").read_text().count("\nRUN ") == 2
    script = subprocess.run(["sh", "-n", str(out / "image" / "gpus.sh")], check=False)
    assert script.returncode == 0
    build_kubernetes(out, KubernetesOptions(lake="s3://b/lake"), print, environment=False)
    assert not (out / "storage.yaml").exists(), "a lake behind a URL needs no volume"
    assert run(["bundle", "--kubernetes", "--databricks", "--out", str(out)]) == 2
    assert run([*words, "--catalog", "main"]) == 2
    assert "--catalog is no option of --kubernetes" in capsys.readouterr().err
