"""What Spark itself makes of the Job's settings and templates: the pods that it asks an API server for.

The server here keeps what it is sent, and starts nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyspark
import pytest

from pipelines.bundle.documents import write_yaml
from pipelines.bundle.kubernetes.manifests import manifests
from pipelines.bundle.kubernetes.options import KubernetesOptions
from pipelines.bundle.kubernetes.spark import RUN_FOLDER
from tests.bundle.test_kubernetes import ASK, ask

HOME = Path(pyspark.__file__).parent

WAIT = """
import sys, time
from pyspark.sql import SparkSession
SparkSession.builder.getOrCreate()
for line in sys.stdin:
    break
"""


class ApiServer(ThreadingHTTPServer):
    """Takes what Spark makes; asked for anything, it has none."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.made: list[dict[str, Any]] = []
        self.has_executors = threading.Event()

    def keep(self, document: dict[str, Any]) -> None:
        self.made.append(json.loads(json.dumps(document)))
        pods = [one for one in self.pods() if one["metadata"]["labels"].get("spark-role") == "executor"]
        if len(pods) >= 2:
            self.has_executors.set()

    def pods(self) -> list[dict[str, Any]]:
        return [one for one in list(self.made) if one["kind"] == "Pod"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keep(document)
        document["metadata"]["uid"] = f"uid-{len(self.server.made)}"
        self._send(201, document)

    do_PUT = do_POST
    do_PATCH = do_POST

    def do_GET(self) -> None:
        self._send(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})

    do_DELETE = do_GET

    def _send(self, code: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def server() -> Iterator[ApiServer]:
    made = ApiServer()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def submission(options: KubernetesOptions, server: ApiServer, folder: Path) -> list[str]:
    """The command of the Job's pod, with the templates' folder and the server's address exchanged."""
    files = manifests(options, "lake: x\n", pyspark.__version__)
    for name, text in files["configmap.yaml"][0]["data"].items():
        (folder / name).write_text(text, encoding="utf-8")
    [container] = files["job.yaml"][0]["spec"]["template"]["spec"]["containers"]
    words = [
        word.replace(f"TemplateFile={RUN_FOLDER}", f"TemplateFile={folder}") for word in container["args"]
    ]
    words[words.index("--master") + 1] = f"k8s://http://127.0.0.1:{server.server_port}"
    return [str(HOME / "bin" / "spark-submit"), *words]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"SPARK_HOME": str(HOME), "HOME": str(folder), "KUBECONFIG": str(folder / "none")}


def container_of(pod: dict[str, Any]) -> dict[str, Any]:
    [found] = pod["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def test_the_driver_that_spark_submits_has_run_file_disk_lake_and_secrets(
    server: ApiServer, tmp_path: Path
) -> None:
    options = KubernetesOptions(mode="cluster", gpus=1, secret=("HF_TOKEN=hub/token",))
    command = submission(options, server, tmp_path)
    # Nothing runs here that it could wait for.
    command = [word.replace("waitAppCompletion=true", "waitAppCompletion=false") for word in command]
    done = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    [driver] = server.pods()
    write_yaml(
        tmp_path / "driver.yaml", driver | {"metadata": {**driver["metadata"], "namespace": "default"}}
    )
    assert ask(ASK, tmp_path / "driver.yaml") == "taken Pod\n"
    assert driver["spec"]["serviceAccountName"] == "ringlake"
    assert driver["metadata"]["labels"]["ringlake/role"] == "driver"
    container = container_of(driver)
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert places["run"] == RUN_FOLDER
    assert places["lake"] == "/lake"
    local = [item["value"] for item in container["env"] if item["name"] == "SPARK_LOCAL_DIRS"]
    assert local == [places["spark-local-dir-1"]], "the disk with the limit is the one that Spark writes to"
    secret = next(item for item in container["env"] if item["name"] == "HF_TOKEN")
    assert secret["valueFrom"]["secretKeyRef"]["name"] == "hub"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["resources"]["limits"]["memory"] == "4096Mi"
    assert container["args"][-6:-4] == ["run", f"{RUN_FOLDER}/run.yaml"]


def test_the_executors_that_a_driver_asks_for_have_cards_disk_lake_and_no_token(
    server: ApiServer, tmp_path: Path
) -> None:
    options = KubernetesOptions(
        mode="client",
        gpus=1,
        cores=8,
        storage_class="fast",
        secret=("HF_TOKEN=hub/token",),
        tag=("team=search",),
    )
    command = submission(options, server, tmp_path)
    program = tmp_path / "wait.py"
    program.write_text(WAIT)
    command = [*command[: command.index("local:///opt/ringlake/main.py")], str(program)]
    # Of the pod in which it would run: its name, its service, its Python.
    for key in ("spark.kubernetes.driver.pod.name", "spark.pyspark.driver.python", "spark.driver.host"):
        place = next(i for i, word in enumerate(command) if word.startswith(f"{key}="))
        del command[place - 1 : place + 1]
    here = f"spark.pyspark.driver.python={sys.executable}"
    command[1:1] = ["--conf", "spark.driver.host=127.0.0.1", "--conf", here]
    with subprocess.Popen(
        command,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=(tmp_path / "stderr").open("w"),
        cwd=tmp_path,
    ) as process:
        try:
            found = server.has_executors.wait(120)
            assert found, (tmp_path / "stderr").read_text()[-2000:]
        finally:
            process.kill()
    executor = server.pods()[0]
    write_yaml(tmp_path / "executor-pod.yaml", executor)
    assert ask(ASK, tmp_path / "executor-pod.yaml") == "taken Pod\n"
    container = container_of(executor)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["resources"]["requests"]["cpu"] == "8"
    assert container["resources"]["limits"]["memory"] == "8192Mi"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert executor["spec"]["automountServiceAccountToken"] is False
    assert executor["spec"]["securityContext"]["runAsNonRoot"] is True
    labels = executor["metadata"]["labels"]
    assert (labels["app.kubernetes.io/instance"], labels["team"]) == ("ringlake", "search")
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert places["lake"] == "/lake"
    local = [item["value"] for item in container["env"] if item["name"] == "SPARK_LOCAL_DIRS"]
    assert local == [places["spark-local-dir-1"]]
    claims = [one for one in server.made if one["kind"] == "PersistentVolumeClaim"]
    assert claims[0]["spec"]["storageClassName"] == "fast"
