"""Peak memory counts what a child process held, not only this one."""

import subprocess
import sys

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
