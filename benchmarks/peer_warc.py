"""datatrove's WARC reader and Trafilatura in their environment: python peer_warc.py FOLDER CORES

FOLDER/in has as many WARC files as there are cores. Nothing of ringlake is imported.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

MARK = "@ "


def _cpu() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


def main(folder: Path, cores: int) -> None:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.readers import WarcReader
    from datatrove.pipeline.writers import JsonlWriter
    from loguru import logger

    logger.disable("datatrove")
    pipeline: list[Any] = [
        WarcReader(str(folder / "in"), glob_pattern="*.warc.gz"),
        Trafilatura(favour_precision=True, timeout=10),
        JsonlWriter(str(folder / "out"), compression=None),
    ]
    # Forked workers are this process's own children, whose processor time is counted.
    executor = LocalPipelineExecutor(pipeline, cores, cores, str(folder / "logs"), start_method="fork")
    began, spent = time.perf_counter(), _cpu()
    executor.run()
    value: dict[str, Any] = {"seconds": time.perf_counter() - began, "cpu_seconds": _cpu() - spent}
    lines = [line for file in sorted((folder / "out").iterdir()) for line in file.read_text().splitlines()]
    rows = [json.loads(line) for line in lines]
    value["texts"] = {row["metadata"]["url"]: row["text"] for row in rows}
    versions = [f"{name} {metadata.version(name)}" for name in ("datatrove", "trafilatura")]
    value["version"] = versions[0].split()[1] + ", " + versions[1]
    sys.stdout.write(MARK + json.dumps(value) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
