"""The rank process: `python -m training.launch.worker`, fresh for every job.

It imports what nearly every function needs while the tasks still meet. Then it reads from standard input the
variables that follow from the meeting and the training function (cloudpickled by the driver, shipped inside
the Spark job), runs it and writes one result to a pipe. It dies with the task that started it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import faulthandler
import io
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from training.failures import FOLLOW_UP_TYPES, Kind, summarize
from training.launch.events import (
    EVENT_VARIABLE,
    PARENT_VARIABLE,
    RESULT_VARIABLE,
    STACK_VARIABLE,
    end_with,
    end_with_failure,
    find_pipe,
)
from training.launch.stall import watch_horovod

TEARDOWN_SECONDS = 30.0
"""How long exit handlers that the function's libraries registered may take; the value is there by then."""

_PR_SET_PDEATHSIG = 1

_DEADLY = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""Signals that end a process, beside those of faults: for each, its threads' stacks are kept."""


def main() -> NoReturn:
    """Run the function on standard input and end the process."""
    _die_with_parent()
    _keep_pipes()
    _keep_stacks(int(os.environ.pop(STACK_VARIABLE)))
    _print_anything()
    watch_horovod()
    _import_early()
    own_pid = os.getpid()
    try:
        payload = _pickle_value(_read_function()())
    except SystemExit as error:
        _leave_if_forked(own_pid, error)
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        _fail(error, code or 1)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the driver shall name it
        _leave_if_forked(own_pid, error)
        _fail(error, 1)
    _leave_if_forked(own_pid, None)
    _leave_ring()
    # Exit handlers that the function's libraries registered run; a hanging teardown cannot stall the job.
    limit = threading.Timer(TEARDOWN_SECONDS, _end_late, (payload,))
    limit.daemon = True
    limit.start()
    atexit._run_exitfuncs()
    end_with("ok", payload, 0)


def _read_function() -> Callable[[], Any]:
    """The function with its arguments, and the variables that it shall see."""
    import cloudpickle  # type: ignore[import-untyped]

    os.environ.update(json.loads(sys.stdin.buffer.readline()))
    function, arguments, keywords = cloudpickle.loads(sys.stdin.buffer.read())
    return lambda: function(*arguments, **keywords)


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
    kind: Kind = "collective" if type(error).__name__ in FOLLOW_UP_TYPES else "exception"
    try:
        text = "".join(traceback.format_exception(type(error), error, trace))
    except Exception:  # noqa: BLE001 - the exception's own code
        text = "".join(traceback.format_tb(trace))
    end_with_failure(kind, summarize(error), text, code)


def _leave_if_forked(own_pid: int, error: BaseException | None) -> None:
    """End a child that the function forked and that came back from it: the rank is another process."""
    if os.getpid() != own_pid:
        if error is not None:
            with contextlib.suppress(Exception):
                traceback.print_exception(error)
        os._exit(0 if error is None else 1)


def _end_late(payload: bytes) -> None:
    text = f"exit handlers took more than {TEARDOWN_SECONDS:g} s; ending without them\n"
    with contextlib.suppress(OSError):
        os.write(2, text.encode())
    end_with("ok", payload, 0)


def _leave_ring() -> None:
    horovod = sys.modules.get("horovod.torch")
    if horovod is not None and horovod.is_initialized():
        horovod.shutdown()


def _keep_pipes() -> None:
    """The programs that the function starts get none of the pipes to the task."""
    for variable in (RESULT_VARIABLE, EVENT_VARIABLE):
        descriptor = find_pipe(variable)
        if descriptor is not None:
            os.set_inheritable(descriptor, False)


def _keep_stacks(descriptor: int) -> None:
    """Have the stacks of all threads written to a file when a signal ends this process."""
    os.set_inheritable(descriptor, False)
    faulthandler.enable(file=descriptor, all_threads=True)
    numbers = [getattr(signal, name) for name in _DEADLY if hasattr(signal, name)]
    for number in numbers:
        # What Python or the function does about the signal is done afterwards: by default, the process ends.
        faulthandler.register(number, file=descriptor, all_threads=True, chain=True)

    def forget() -> None:
        faulthandler.enable(file=2)
        for number in numbers:
            faulthandler.unregister(number)

    # How a child ends is not how the rank does.
    os.register_at_fork(after_in_child=forget)


def _print_anything() -> None:
    """The task reads UTF-8, whatever the locale of its machine."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _die_with_parent() -> None:
    """Have the kernel end this process when the Spark task's process ends, however it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[PARENT_VARIABLE]):
        os._exit(1)


if __name__ == "__main__":
    main()
