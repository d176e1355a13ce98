"""Which libraries decide what a stage makes, and their versions: another one is another result.

Left out is what only carries values from place to place (Spark, Delta, Arrow's containers), and Numba, whose
kernels are sources of this project. Training, evaluation and generation name none: their identity is that of
settings, data and code, and a trained model is not thrown away for a new release of torch.
"""

from __future__ import annotations

import platform
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib import metadata

PYTHON = "python"
"""Python itself: its parsers of JSON, CSV and source code, and its tables of Unicode."""

READERS = (PYTHON, "pyarrow", "fastwarc", "brotli", "resiliparse", "trafilatura", "lxml", "justext")
"""Files to documents; trafilatura finds the main text by lxml and justext."""

CLEANING = (PYTHON, "pyarrow", "ftfy", "icu4py", "phonenumbers", "python-stdnum")
"""Repair, words, personal data. The language model is a file, whose content counts (`model_hash`)."""

COMPARING = (PYTHON, "pyarrow")
"""Normal forms and word boundaries of what is counted or compared, by tables of Unicode."""

TOKENIZING = (PYTHON, "tokenizers", "gigatoken")
"""Training a vocabulary and encoding with it."""

FEATURES = (PYTHON, "pyspark")
"""Spark ML's tokenizer, stop words and Word2Vec."""


def versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each library as installed; '' for one that is not."""
    return {name: _version(name) for name in names}


@cache
def _version(name: str) -> str:
    if name == PYTHON:
        # A patch release changes neither tables nor grammar.
        return f"{'.'.join(platform.python_version_tuple()[:2])}, Unicode {unicodedata.unidata_version}"
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
