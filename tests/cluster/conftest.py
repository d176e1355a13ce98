"""One real HDFS and YARN for the tests of a module, and `spark-submit` as a user calls it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from pipelines.bundle.build import build_bundle
from tests.support.hadoop import MiniHadoop

SPARK_HOME = Path(pyspark.__file__).parent


@pytest.fixture(scope="package")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniHadoop]:
    with MiniHadoop(tmp_path_factory.mktemp("hadoop")) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `ringlake bundle --no-environment` makes: on this machine every node has the environment."""
    return build_bundle(tmp_path_factory.mktemp("bundle"), print, environment=False)


class Submission:
    """A running `spark-submit`, its output by line.

    Args:
        hadoop: Where it runs.
        bundle: What it ships.
        mode: 'client' or 'cluster'.
        arguments: Arguments of the `ringlake` command.
        folder: Its working folder.
        options: Further options of spark-submit.
    """

    def __init__(
        self,
        hadoop: MiniHadoop,
        bundle: dict[str, str],
        mode: str,
        arguments: list[str],
        folder: Path,
        options: tuple[str, ...] = (),
    ) -> None:
        self._hadoop = hadoop
        command = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", "yarn", "--deploy-mode", mode]
        # Two executors do not fit on one node, see tests.support.hadoop.NODE_MB.
        command += ["--num-executors", "2", "--executor-cores", "1", "--executor-memory", "1664m"]
        command += ["--driver-memory", "896m", "--name", f"ringlake-{mode}"]
        settings = {
            "spark.dynamicAllocation.enabled": "false",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "4",
            "spark.yarn.jars": f"local:{SPARK_HOME}/jars/*",
            "spark.yarn.maxAppAttempts": "1",
            "spark.yarn.am.memory": "512m",
            "spark.yarn.stagingDir": f"{hadoop.uri}/staging",
            # Everything of this cluster stays on the loopback interface.
            "spark.executorEnv.SPARK_LOCAL_IP": "127.0.0.1",
            "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": "127.0.0.1",
        }
        if "environment" not in bundle:
            settings["spark.pyspark.python"] = sys.executable
            settings["spark.yarn.appMasterEnv.PYSPARK_PYTHON"] = sys.executable
        if mode == "client":
            settings["spark.pyspark.driver.python"] = sys.executable
        for key, value in settings.items():
            command += ["--conf", f"{key}={value}"]
        command += [*options, "--jars", bundle["jars"], "--py-files", bundle["code"]]
        command += [bundle["main"], *arguments]
        variables = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(SPARK_HOME)}
        folder.mkdir(parents=True, exist_ok=True)
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=folder,
            env=hadoop.environment(**variables),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait(self, seconds: float) -> int:
        """Its exit code."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"not done in {seconds} s\n{self.told()}") from None
        self._reader.join(10)
        return code

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def told(self) -> str:
        """Output of the client and the containers, for the message of a test that failed."""
        return "\n".join([*self.lines[-80:], self._hadoop.logs()])
