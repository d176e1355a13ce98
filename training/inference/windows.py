"""Texts as token ids with the model's own special tokens, long ones in several windows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from training.inference.batches import padded, plan
from training.inference.folder import Opened
from training.inference.options import Options
from training.inference.predictor import Refusal, Row, text_of


@dataclass(frozen=True)
class Window:
    """Part of a text as the model reads it.

    Attributes:
        row: Number of its row.
        ids: Token ids, special tokens included.
        types: Segment of each, for models that tell segments apart; None for the others.
    """

    row: int
    ids: list[int]
    types: list[int] | None


def text_windows(
    opened: Opened, rows: Sequence[Row], column: str = "text"
) -> tuple[list[Window], dict[int, Refusal]]:
    """The windows of the rows' texts, side by side without overlap, and the rows that have none.

    Args:
        opened: Model and tokenizer.
        rows: The rows.
        column: Where their texts are.
    """
    refused: dict[int, Refusal] = {}
    texts: dict[int, str] = {}
    for number, row in enumerate(rows):
        text = text_of(row, column)
        if isinstance(text, Refusal):
            refused[number] = text
        else:
            texts[number] = text
    if not texts:
        return [], refused
    order = list(texts)
    made = opened.tokenizer(
        list(texts.values()),
        truncation=True,
        max_length=opened.longest,
        return_overflowing_tokens=True,
        return_special_tokens_mask=True,
    )
    types = made.get("token_type_ids")
    windows = []
    for place, sample in enumerate(made["overflow_to_sample_mapping"]):
        ids, added = made["input_ids"][place], made["special_tokens_mask"][place]
        row = order[sample]
        spelled = opened.spelled(id_ for id_, is_added in zip(ids, added, strict=True) if not is_added)
        if spelled is not None:
            refused[row] = special_token(spelled)
        windows.append(Window(row, ids, None if types is None else types[place]))
    return [window for window in windows if window.row not in refused], refused


def special_token(names: str) -> Refusal:
    """The refusal of a text to which a tokenizer gives ids of special tokens."""
    return Refusal(
        "special_token",
        f"the text spells special tokens ({names}), which this tokenizer cannot tell from text; write it in "
        f"another way",
    )


def batches_of(
    opened: Opened, windows: Sequence[Window], options: Options
) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
    """Windows of alike length as inputs of the model.

    Yields:
        The numbers of the windows of a batch, and the tensors (windows, longest) that the model takes.
    """
    pad, device = padding_id(opened), opened.model.device
    takes_types = "token_type_ids" in inspect.signature(opened.model.forward).parameters
    # A model that finds the end of a text by the padding token cannot do so where it has none.
    max_rows = 256 if pad is not None else 1
    for batch in plan([len(window.ids) for window in windows], options.batch_tokens, max_rows):
        ids, mask = padded([windows[number].ids for number in batch], pad or 0, device=device)
        inputs = {"input_ids": ids, "attention_mask": mask}
        types = [windows[number].types for number in batch]
        if takes_types and all(item is not None for item in types):
            inputs["token_type_ids"], _ = padded([item or [] for item in types], 0, device=device)
        yield batch, inputs


def padding_id(opened: Opened) -> int | None:
    """The id that fills rows up, which the model's configuration is told; None if no token can."""
    config, tokenizer = opened.model.config, opened.tokenizer
    for found in (config.pad_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id):
        if found is not None:
            config.pad_token_id = int(found)
            return int(found)
    return None
