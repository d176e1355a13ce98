"""Vectors that were trained beforehand as the initial embeddings of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load

from ringlake.base.storage import folder_of
from training.errors import DataError

EMBEDDING, KNOWN = "embedding", "known"

_HEADER_BYTES = 1 << 20
"""More than the header of two tensors can have."""


def initialise_embeddings(model: Any, location: str) -> int:
    """Gives the tokens that have a vector that vector, and returns how many these are.

    Vectors are shifted and scaled as a whole to the mean and the spread of the model's own initial
    embeddings, so that the first layer sees numbers of the size it was built for. Other tokens keep their
    initial values.

    Args:
        model: A model of transformers.
        location: Path or URL of the file that the stage `features` wrote.

    Raises:
        DataError: The file cannot be read or does not fit the model.
    """
    weight = model.get_input_embeddings().weight
    vectors, known = _read(location, tuple(weight.shape))
    rows = torch.from_numpy(np.flatnonzero(known))
    with torch.no_grad():
        chosen = torch.from_numpy(vectors)[rows].to(torch.float64)
        spread = chosen.std()
        if not torch.isfinite(spread) or spread == 0:
            raise DataError(f"model.embeddings = {location!r}: its vectors are all equal or not finite")
        scaled = (chosen - chosen.mean()) / spread * weight.double().std() + weight.double().mean()
        weight[rows] = scaled.to(weight.dtype)
    return len(rows)


def _read(location: str, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    parent, _, name = location.rpartition("/")
    folder = folder_of(parent or ".")
    most = shape[0] * (4 * shape[1] + 1) + _HEADER_BYTES
    try:
        size = folder.size(name)
        if size > most:
            raise DataError(
                f"model.embeddings = {location!r} has {size:,} bytes, but vectors for {shape[0]:,} tokens of "
                f"{shape[1]} numbers have {most:,} at most; set features.vector_size to the hidden size"
            )
        tensors = load(folder.read(name))
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"model.embeddings = {location!r} cannot be read: {reason}") from error
    vectors, known = tensors.get(EMBEDDING), tensors.get(KNOWN)
    if vectors is None or known is None or vectors.shape != shape or known.shape != shape[:1]:
        found = "no vectors" if vectors is None else f"vectors of shape {tuple(vectors.shape)}"
        raise DataError(
            f"model.embeddings = {location!r} holds {found}, the model's embeddings have the shape {shape}; "
            "train them with features.unit=tokens and features.vector_size = the hidden size"
        )
    if vectors.dtype != np.float32 or known.dtype != np.uint8:
        raise DataError(f"model.embeddings = {location!r} must hold float32 and uint8 numbers")
    return vectors, known
