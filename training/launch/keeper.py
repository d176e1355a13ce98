"""Ends a rank's process group when the Spark task that started it is gone, however it went.

A task that is killed cannot clean up, and the kernel's parent-death signal reaches the rank but not what
the rank started. A shell waits at the end of a pipe instead: it reads the word of the task, or the end of the
pipe when the task's process has ended, and then kills the group.
"""

from __future__ import annotations

import contextlib
import os
import subprocess

_SCRIPT = 'read -r word; [ "$word" = done ] || kill -9 "-$0"'


class Keeper:
    """Watches over one process group until it is dismissed.

    Args:
        group: Id of the process group, which is that of its leader.
    """

    def __init__(self, group: int) -> None:
        read, self._write = os.pipe()
        try:
            # In a session of its own: the signal with which Spark ends a group of workers must not reach it.
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, str(group)],
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._write)
            raise
        finally:
            os.close(read)

    def dismiss(self) -> None:
        """The group has been ended: nothing is left to watch."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._write, b"done\n")
        os.close(self._write)
        self._process.wait()
