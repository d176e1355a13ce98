"""Peak memory counts what a child process held, not only this one."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.run.memory import PeakMemory


def test_a_childs_memory_counts() -> None:
    with PeakMemory() as before:
        pass
    code = "data = bytearray(300 * 2**20)\nprint('held', flush=True)\ninput()"
    with (
        PeakMemory(interval=0.05) as memory,
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child,
    ):
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        memory.tick()
        child.stdin.close()
    assert memory.peak_mb > before.peak_mb + 290


@pytest.mark.parametrize(("name", "times"), [("java", 1), ("other", 2)])
def test_the_copy_that_a_jvm_starts_a_program_from_is_not_counted(
    name: str, times: int, tmp_path: Path
) -> None:
    program = tmp_path / name
    program.symlink_to(sys.executable)
    code = "import os\ndata = b'x' * (200 * 2**20)\npid = os.fork()\n"
    code += "print('held', flush=True) if pid else None\ninput() if pid else os.read(0, 1)\n"
    with PeakMemory() as before:
        pass
    with (
        PeakMemory(interval=10) as memory,
        subprocess.Popen(
            [program, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child,
    ):
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        memory.tick()
        child.stdin.write("\n\n")
        child.stdin.close()
    used = memory.peak_mb - before.peak_mb
    assert times * 200 - 20 < used < times * 200 + 120
