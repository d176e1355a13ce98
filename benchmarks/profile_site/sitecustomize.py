"""Says where Spark's Python workers spend their processor time: on PYTHONPATH, Python runs this at its start.

Each process that a worker's daemon forks gets a thread that looks every few milliseconds where the main one
is, and counts the processor time since the last look for the innermost function of ringlake on the stack. The
counts are in $RINGLAKE_WORKER_PROFILE/PID.json, written every second. Without the variable nothing happens.
"""

import os

_FOLDER = os.environ.get("RINGLAKE_WORKER_PROFILE")
_SECONDS = 0.005


def _watch() -> None:
    import json
    import sys
    import threading
    import time
    from collections import defaultdict

    main = threading.main_thread().ident
    packages = ("/pipelines/", "/training/", "/schemas/")
    spent: dict[str, float] = defaultdict(float)
    path = f"{_FOLDER}/{os.getpid()}.json"
    before, written = time.process_time(), time.monotonic()
    while True:
        time.sleep(_SECONDS)
        now = time.process_time()
        frame = sys._current_frames().get(main or 0)
        place = "Spark's worker"
        while frame is not None:
            file = frame.f_code.co_filename
            package = next((name for name in packages if name in file), None)
            if package is not None and "/site-packages/" not in file:
                place = f"{package[1:]}{file.rpartition(package)[2]}:{frame.f_code.co_name}"
                break
            frame = frame.f_back
        del frame
        spent[place] += now - before
        before = now
        if time.monotonic() - written > 1:
            with open(f"{path}.new", "w") as out:  # noqa: PTH123 - this runs in every Python that starts
                json.dump(spent, out)
            os.replace(f"{path}.new", path)  # noqa: PTH105
            written = time.monotonic()


def _after_fork() -> None:
    import threading

    threading.Thread(target=_watch, daemon=True).start()


if _FOLDER:
    os.register_at_fork(after_in_child=_after_fork)
