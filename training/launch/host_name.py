"""Whether Horovod, as it is installed here, meets the other hosts on the interface that it is told."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

from training.errors import TrainingError

MENDED = "PROCESS_SETS_KEEP_THE_INTERFACE"
"""Name in the module `horovod` of the wheels that set-up builds (pipelines/setup/horovod_build.py)."""


def check_host_name(address: str) -> None:
    """Refuses a host on which stock Horovod would give the other hosts an address that cannot reach it.

    Horovod 0.28.1 forgets the interface for its process sets, the one of all ranks included: Gloo then takes
    the address that the host's own name leads to. One that is neither loopback nor none may be right.

    Args:
        address: The address that the others reach this host by.

    Raises:
        TrainingError: The name leads to loopback or nowhere, and the Horovod that is installed goes by it.
    """
    name = socket.gethostname()
    led = _led_to(name)
    if (not led or led.startswith("127.")) and not keeps_the_interface():
        where = f"leads to {led}" if led else "leads nowhere"
        raise TrainingError(
            f"the name of host {name} {where}, the other hosts reach it as {address}, and the Horovod "
            f"installed there goes by the name: let {name} lead to {address} (/etc/hosts, DNS), or install "
            f"the wheel that `ringlake setup` builds, which goes by the interface"
        )


def keeps_the_interface() -> bool:
    """Whether the installed Horovod is one that set-up mended; its module is read, not imported."""
    spec = importlib.util.find_spec("horovod")
    origin = None if spec is None else spec.origin
    return origin is not None and MENDED in Path(origin).read_text(encoding="utf-8", errors="replace")


def _led_to(name: str) -> str:
    try:
        return socket.gethostbyname(name)
    except OSError:
        return ""
