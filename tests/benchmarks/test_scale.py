"""The scale benchmark attributes time and memory to stages, parts and functions as they were spent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks import scale
from benchmarks.usage import watch

PROFILE_SITE = Path(scale.__file__).with_name("profile_site")

TWO_STAGES = """
import sys, time
def work(seconds):
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass
print("[1/2] ingest: read", file=sys.stderr, flush=True)
work(0.8)
print("[2/2] clean: judge", file=sys.stderr, flush=True)
held = bytearray(200_000_000)
work(1.6)
time.sleep(0.6)
"""


def test_processor_time_and_memory_go_to_the_stage_that_was_told(tmp_path: Path) -> None:
    (tmp_path / "block").write_bytes(bytes(2**16))
    process = subprocess.Popen([sys.executable, "-c", TWO_STAGES], stderr=subprocess.PIPE, text=True)
    usage = watch(process, tmp_path)
    assert process.returncode == 0
    ingest, clean = (usage.cpu_seconds[stage]["driver"] for stage in ("ingest", "clean"))
    # A sample that is under way when a stage begins may count up to a whole interval for the other one.
    assert 0.3 < ingest < 1.4
    assert 1.1 < clean < 2.2
    assert clean > ingest
    assert usage.peak_bytes["clean"]["driver"] > 200e6 > usage.peak_bytes["ingest"]["driver"]
    assert usage.peak_bytes["clean"]["all"] > usage.peak_bytes["clean"]["driver"]
    assert usage.cpu_seconds["clean"]["jvm"] == 0
    assert usage.scratch_bytes["clean"] >= 2**16


def test_the_sampler_finds_the_function_that_a_forked_worker_spends_its_time_in(tmp_path: Path) -> None:
    package = tmp_path / "pipelines"
    package.mkdir()
    (package / "busy.py").write_text(
        "import time\n"
        "def spin(seconds):\n"
        "    began = time.process_time()\n"
        "    while time.process_time() - began < seconds:\n"
        "        pass\n"
    )
    program = "import os, sys\nfrom busy import spin\nchild = os.fork()\n"
    program += "if not child:\n    spin(2.5)\n    os._exit(0)\nos.waitpid(child, 0)\n"
    profile = tmp_path / "profile"
    profile.mkdir()
    paths = os.pathsep.join([str(PROFILE_SITE), str(package)])
    environment = os.environ | {"PYTHONPATH": paths, "RINGLAKE_WORKER_PROFILE": str(profile)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    ((place, seconds), *_) = scale.functions(profile)
    assert place == "pipelines/busy.py:spin"
    # What was written last, at most a second and a bit before the end.
    assert 0.5 < seconds <= 2.6


def test_a_stage_that_takes_too_long_is_told_and_drawn(tmp_path: Path) -> None:
    parts = {"jvm": 1.0, "workers": 6.0, "driver": 0.5}
    row = {"cpu_seconds": [1.0, 7.5], "cpu_ratio": 7.5, "cpu_parts": parts}
    row |= {"worker_bytes": [1e8, 1e8], "jvm_bytes": [1e9, 1e9]}
    value = {
        "factor": 10,
        "documents": [100, 1000],
        "bytes": [10**5, 10**6],
        "stages": {
            "ingest": {"seconds": [2.0, 21.9], "ratio": 10.95, **row},
            "clean": {"seconds": [2.0, 22.2], "ratio": 11.1, **row},
        },
        "functions": [["pipelines/clean/judge.py:judge", 4.0]],
        "bottleneck": ["clean", "workers", 6.0, 0.4],
        "command": ["scale"],
        "machine": {},
    }
    lines = scale.text(value).splitlines()
    assert "yes" in next(line for line in lines if line.startswith("ingest"))
    assert "NO" in next(line for line in lines if line.startswith("clean"))
    assert "next bottleneck: workers in clean, 6.0 CPU s, 40% of all" in lines
    scale.draw(value, tmp_path / "scale.svg")
    assert "1,000 documents" in (tmp_path / "scale.svg").read_text()
