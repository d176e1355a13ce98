"""Our code as a zip that Python imports from: small, so that it is shipped with every job."""

from __future__ import annotations

import zipfile
from importlib import metadata
from pathlib import Path

from pipelines.run.version import PACKAGES
from ringlake.base.code import code_files, release

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time stamp of every entry, so that equal sources give equal bytes."""


def write_code(target: Path) -> None:
    """Write the packages with what they carry (run files, templates), and the name and version of ringlake.

    It is importable as it is: `spark-submit --py-files` puts it on the path of the driver and the executors.

    Args:
        target: The zip, replaced.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in PACKAGES:
            for name, content in code_files(package):
                add(archive, name, content)
        # What `importlib.metadata` looks for: the version that the ledger and reports name.
        folder = f"ringlake-{release()}.dist-info"
        add(archive, f"{folder}/METADATA", metadata_text().encode())


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Adds a file to an archive, with one time stamp and mode for all."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def metadata_text() -> str:
    """What the installed ringlake says of itself in `METADATA`."""
    try:
        installed = metadata.distribution("ringlake")
    except metadata.PackageNotFoundError:
        return f"Metadata-Version: 2.1\nName: ringlake\nVersion: {release()}\n"
    return installed.read_text("METADATA") or installed.read_text("PKG-INFO") or ""
