"""Our code as a wheel, made without a build: what it holds is Python and files beside it."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.bundle.code import add, metadata_text
from pipelines.run.version import PACKAGES
from ringlake.base.code import code_files, release

_WHEEL = "Wheel-Version: 1.0\nGenerator: ringlake\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_COMMANDS = "[console_scripts]\nringlake = ringlake.__main__:main\n"


def write_wheel(folder: Path) -> Path:
    """Write the wheel; equal sources give equal bytes.

    Args:
        folder: Where to.

    Returns:
        Its path.
    """
    target = folder / f"ringlake-{release()}-py3-none-any.whl"
    record = f"ringlake-{release()}.dist-info/RECORD"
    lines = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _files():
            add(archive, name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(content)}\n")
        add(archive, record, "".join([*lines, f"{record},,\n"]).encode())
    return target


def _files() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        yield from code_files(package)
    folder = f"ringlake-{release()}.dist-info"
    yield f"{folder}/METADATA", metadata_text().encode()
    yield f"{folder}/WHEEL", _WHEEL.encode()
    yield f"{folder}/entry_points.txt", _COMMANDS.encode()
