"""Lower-cased texts as the kernels take them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def lowered(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The lower-cased texts' bytes and offsets, as the kernels take them; a null counts as empty."""
    array = pc.utf8_lower(texts.cast(pa.large_string()))
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data or b"", dtype=np.uint8), bounds
