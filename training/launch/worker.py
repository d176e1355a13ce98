"""The rank process: `python -m training.launch.worker`, fresh for every job.

It imports what nearly every function needs while the tasks still meet. Then it reads from standard input the
variables that follow from the meeting and the training function (cloudpickled by the driver, shipped inside
the Spark job), runs it and writes one result to a pipe. It dies with the task that started it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

from training.launch.events import end_with, end_with_failure
from training.launch.failures import FOLLOW_UP_TYPES
from training.launch.process import PARENT_VARIABLE
from training.launch.stall import watch_horovod

_PR_SET_PDEATHSIG = 1


def main() -> NoReturn:
    """Run the function on standard input and end the process."""
    _die_with_parent()
    watch_horovod()
    _import_early()
    try:
        import cloudpickle  # type: ignore[import-untyped]

        os.environ.update(json.loads(sys.stdin.buffer.readline()))
        function, arguments, keywords = cloudpickle.loads(sys.stdin.buffer.read())
        payload = b"ok\n" + _pickle_value(function(*arguments, **keywords))
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        _fail(error, code or 1)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the driver shall name it
        _fail(error, 1)
    _leave_ring()
    # Exit handlers that the function's libraries registered run; a hanging teardown cannot stall the job.
    atexit._run_exitfuncs()
    end_with(payload, 0)


def _import_early() -> None:
    """Import torch and Horovod, which takes seconds; what goes wrong here, the function shall meet itself."""
    with contextlib.suppress(Exception):
        import horovod.torch  # noqa: F401


def _pickle_value(value: Any) -> bytes:
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:
        raise TypeError(
            f"the training function returned a {type(value).__name__} that cannot be pickled ({error}); "
            f"return plain values, or save it to a file and return its path"
        ) from error


def _fail(error: BaseException, code: int) -> NoReturn:
    """Report what was raised, with the frames of the function but not of this module."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    summary = "".join(traceback.format_exception_only(error)).strip().splitlines()
    kind = "collective" if type(error).__name__ in FOLLOW_UP_TYPES else "exception"
    end_with_failure(kind, summary[-1] if summary else repr(error), text, code)


def _leave_ring() -> None:
    horovod = sys.modules.get("horovod.torch")
    if horovod is not None and horovod.is_initialized():
        horovod.shutdown()


def _die_with_parent() -> None:
    """Have the kernel end this process when the Spark task's process ends, however it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[PARENT_VARIABLE]):
        os._exit(1)


if __name__ == "__main__":
    main()
