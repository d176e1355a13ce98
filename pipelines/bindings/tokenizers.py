"""Where a lake keeps tokenizers, and the identity of one."""

from __future__ import annotations

from pipelines.lake import Lake
from pipelines.run.artefacts import file_identity
from pipelines.tokenize.folder import CONFIG, SPECIAL, TOKENIZER
from ringlake.base.storage import Folder


def tokenizer_folder(lake: Lake, sha256: str) -> Folder:
    """Where the tokenizer with this content lies."""
    return lake.tokenizers.child(sha256[:16])


def tokenizer_files(folder: Folder) -> dict[str, str]:
    """Identity of each file of a tokenizer's folder."""
    return {name: file_identity(folder.file(name)) for name in (TOKENIZER, CONFIG, SPECIAL)}
