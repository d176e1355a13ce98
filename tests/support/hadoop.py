"""A real HDFS and a real YARN with two NodeManagers on this machine: `with MiniHadoop(folder) as hadoop`.

Both are Hadoop's own mini clusters (NameNode, DataNode, ResourceManager, NodeManagers in one JVM, containers
as real processes), started through py4j in a process of their own that ends when its input ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.setup import cache, jars
from pipelines.setup.progress import Progress
from pipelines.setup.target import running_target

HADOOP = "3.4.2"
"""The version of the Hadoop client that pyspark 4.1 brings."""

COORDINATES = (
    f"org.apache.hadoop:hadoop-client-minicluster:{HADOOP}",
    "junit:junit:4.13.2",
    "org.bouncycastle:bcprov-jdk18on:1.78.1",
    "org.bouncycastle:bcpkix-jdk18on:1.78.1",
    "org.bouncycastle:bcutil-jdk18on:1.78.1",
    "javax.xml.bind:jaxb-api:2.3.1",
    "javax.activation:javax.activation-api:1.2.0",
    "com.sun.xml.bind:jaxb-impl:2.3.0",
    "com.sun.xml.bind:jaxb-core:2.3.0",
)

START_SECONDS = 240

NODES = 2

NODE_MB = 3328
"""Memory that a NodeManager gives away. A driver or application master and one executor of the tests fit on a
node, two executors do not: so the ranks really are on two nodes."""

SETTINGS = {
    "yarn.nodemanager.vmem-check-enabled": "false",
    "yarn.nodemanager.pmem-check-enabled": "false",
    "yarn.nodemanager.resource.memory-mb": str(NODE_MB),
    "yarn.nodemanager.resource.cpu-vcores": "4",
    "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "100.0",
    "yarn.scheduler.minimum-allocation-mb": "128",
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": "100",
    "yarn.scheduler.capacity.root.default.state": "RUNNING",
    "yarn.scheduler.capacity.root.default.maximum-am-resource-percent": "1.0",
    "yarn.scheduler.capacity.maximum-am-resource-percent": "1.0",
    # A node that stops answering is given up in seconds, not in ten minutes.
    "yarn.nm.liveness-monitor.expiry-interval-ms": "6000",
    "yarn.resourcemanager.nm.liveness-monitor.interval-ms": "1000",
    # YARN's own limit: a container starts when its node has unpacked an environment of gigabytes.
    "yarn.am.liveness-monitor.expiry-interval-ms": "600000",
    "yarn.nodemanager.sleep-delay-before-sigkill.ms": "100",
}


def hadoop_jars() -> list[Path]:
    """Hadoop's jars, from the cache of set-up or fetched into it."""
    target = running_target()
    roots = cache.cache_roots(target.prefix)
    progress = Progress()
    name = cache.entry_name(f"hadoop-{HADOOP}", {"coordinates": " ".join(COORDINATES)})

    def build(out: Path) -> None:
        log = Path(tempfile.gettempdir()) / f"ringlake-hadoop-jars-{os.getpid()}.log"
        jars.fetch(target, COORDINATES, out, log, progress, label="resolving Hadoop's jars")

    return list(cache.obtain(roots, "test-jars", name, build, progress).files)


class MiniHadoop:
    """HDFS and, unless told otherwise, YARN; ended with the context.

    Args:
        folder: For configuration, logs, blocks and containers.
        yarn: Whether YARN is wanted too.
        data_nodes: DataNodes of HDFS; each block lies on as many as there are, two at most.

    Attributes:
        uri: `hdfs://host:port`.
        conf: HADOOP_CONF_DIR for its clients.
    """

    def __init__(self, folder: Path, yarn: bool = True, data_nodes: int = 1) -> None:
        self.conf = folder / "conf"
        self.conf.mkdir(parents=True)
        self._folder, self._yarn, self._data_nodes = folder, yarn, data_nodes
        self.uri = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.hadoop", str(self._folder), str(int(self._yarn))]
        log = (self._folder / "mini-hadoop.log").open("w")
        self._process = subprocess.Popen(
            [*command, str(self._data_nodes), *map(str, hadoop_jars())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
        )
        log.close()
        line = self._answer(START_SECONDS)
        assert line.startswith("ready "), f"{line!r}: see {self._folder}"
        self.uri = line.split()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop_node(self, number: int) -> None:
        """Stop a NodeManager, which ends its containers."""
        self._stop("stop-node", number)

    def stop_data_node(self, number: int) -> None:
        """Stop a DataNode, whose connections break; the NameNode knows within some ten seconds."""
        self._stop("stop-data-node", number)

    def _stop(self, what: str, number: int) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{what} {number}\n")
        self._process.stdin.flush()
        assert self._answer(60) == f"stopped {number}"

    def nodes(self) -> dict[str, int]:
        """Which NodeManager has, or had, each container."""
        found = {}
        for path in self._folder.rglob("*-logDir-nm-*/*/container_*"):
            place = next(part for part in path.parts if "-logDir-nm-" in part)
            found[path.name] = int(place.partition("-logDir-nm-")[2].partition("_")[0])
        return found

    def environment(self, **changes: str) -> dict[str, str]:
        """Variables of a client process."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK_", "SPARK_"))}
        return kept | {"HADOOP_CONF_DIR": str(self.conf), "HADOOP_USER_NAME": "ringlake"} | changes

    def logs(self) -> str:
        """What the containers wrote, newest last; for the message of a test that failed."""
        found = sorted(self._folder.rglob("container_*/std*"), key=lambda path: path.stat().st_mtime)
        return "\n".join(f"--- {path}\n{path.read_text(errors='replace')[-6000:]}" for path in found)

    def _answer(self, seconds: float) -> str:
        stream = self._process.stdout
        assert stream
        found: list[str] = []
        reader = threading.Thread(target=lambda: found.append(stream.readline()), daemon=True)
        reader.start()
        reader.join(seconds)
        assert found, f"Hadoop said nothing for {seconds} s: see {self._folder}"
        return found[0].strip()


def main(folder: Path, with_yarn: bool, data_nodes: int, paths: list[str]) -> None:
    """The process that holds the clusters."""
    import pyspark
    from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

    conf_dir = folder / "conf"
    log = (folder / "hadoop-jvm.log").open("w")
    classpath = os.pathsep.join([*paths, str(Path(pyspark.__file__).parent / "jars" / "*")])
    port = launch_gateway(
        classpath=classpath,
        javaopts=[
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
            "-Xmx1g",
            f"-Dtest.build.data={folder / 'data'}",
            f"-Dtest.build.dir={folder / 'data'}",
        ],
        die_on_exit=True,
        redirect_stdout=log,
        redirect_stderr=log,
        cwd=str(folder),
    )
    jvm: Any = JavaGateway(gateway_parameters=GatewayParameters(port=port)).jvm
    conf = jvm.org.apache.hadoop.yarn.conf.YarnConfiguration()
    for key, value in SETTINGS.items():
        conf.set(key, value)
    conf.set("hdfs.minidfs.basedir", str(folder / "hdfs"))
    conf.set("dfs.permissions.enabled", "false")
    conf.set("dfs.replication", str(min(2, data_nodes)))
    conf.set("dfs.heartbeat.interval", "1")
    conf.set("dfs.namenode.heartbeat.recheck-interval", "1000")
    builder = getattr(jvm.org.apache.hadoop.hdfs, "MiniDFSCluster$Builder")(conf)
    hdfs = builder.numDataNodes(data_nodes).build()
    hdfs.waitActive()
    uri = hdfs.getFileSystem().getUri().toString()
    yarn: Any = None
    if with_yarn:
        yarn = jvm.org.apache.hadoop.yarn.server.MiniYARNCluster("ringlake", NODES, 1, 1)
        yarn.init(conf)
        yarn.start()
        yarn.waitForNodeManagersToConnect(60000)
        _write_site(jvm, yarn, conf_dir / "yarn-site.xml")
    (conf_dir / "core-site.xml").write_text(
        f"<configuration><property><name>fs.defaultFS</name><value>{uri}</value></property>"
        f"<property><name>dfs.replication</name><value>{min(2, data_nodes)}</value></property>"
        "</configuration>"
    )
    print("ready", uri, flush=True)
    for line in sys.stdin:
        word, number = line.split()
        if word == "stop-data-node":
            hdfs.stopDataNode(int(number))
        else:
            assert word == "stop-node"
            yarn.getNodeManager(int(number)).stop()
        print("stopped", number, flush=True)
    if yarn is not None:
        yarn.stop()
    hdfs.shutdown(True)


def _write_site(jvm: Any, yarn: Any, path: Path) -> None:
    stream = jvm.java.io.FileOutputStream(str(path))
    yarn.getConfig().writeXml(stream)
    stream.close()
    # The class that the mini cluster maps hosts to racks with is not on Spark's class path.
    text = path.read_text().replace("hadoop.net.StaticMapping", "hadoop.net.ScriptBasedMapping")
    path.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "1", int(sys.argv[3]), sys.argv[4:])
