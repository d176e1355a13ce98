"""Characters that are in a text and are not shown."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

# Characters that are not shown (Unicode, Default_Ignorable_Code_Point): soft hyphens, joiners, marks of
# direction, variation selectors. Words would end at them.
_UNSEEN = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)


def without_unseen(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """The texts without characters that are not shown, composed again where those stood between."""
    has = pc.match_substring_regex(texts, _UNSEEN)
    if not pc.any(has).as_py():
        return texts
    seen = pc.replace_substring_regex(texts.filter(has), _UNSEEN, "").to_pylist()
    # Arrow's own NFC leaves characters decomposed.
    composed = pa.array([unicodedata.normalize("NFC", text) for text in seen], pa.large_string())
    return pc.replace_with_mask(texts, has, composed)
