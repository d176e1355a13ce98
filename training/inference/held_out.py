"""Nats of whole texts by causal language models, each with its own tokenizer; runs on the ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from ringlake.base.storage import Folder
from training.errors import DataError
from training.inference.batches import padded, plan
from training.inference.folder import Opened, open_model
from training.inference.options import Options
from training.models.document_mask import document_inputs, keeps_apart
from training.models.tokens import TokenizerFile


@dataclass(frozen=True)
class TextScore:
    """What a model says of a text.

    Attributes:
        number: Number of the text.
        nats: Sum of -ln p over its tokens.
        num_tokens: Its tokens, by the model's own tokenizer.
    """

    number: int
    nats: float
    num_tokens: int


@dataclass(frozen=True)
class _Window:
    """Tokens of a text and the one before them, which has no target."""

    number: int
    ids: list[int]


def score_texts(
    model_dir: str, texts: Sequence[str], first: int, step: int, batch_tokens: int
) -> list[TextScore]:
    """The scores of every `step`-th text from the `first` on.

    A text follows the token that ends a document, as in training. One longer than the model reads at once is
    cut into windows side by side; each of its tokens is predicted once, the first of a window from the token
    before it.

    Args:
        model_dir: Model folder.
        texts: All texts.
        first: Number of the first one that is scored here.
        step: Distance of the texts that are.
        batch_tokens: Tokens that are computed at once, about.

    Raises:
        DataError: The model cannot be opened, or its tokenizer names no token that ends a document.
    """
    opened = open_model("generate", model_dir, Options())
    end = TokenizerFile(Folder(model_dir)).end_of_document_id()
    if end is None:
        raise DataError(
            f"{model_dir}: its tokenizer names no token that ends a document, so no text can begin"
        )
    nats: dict[int, float] = dict.fromkeys(range(first, len(texts), step), 0.0)
    counts = dict.fromkeys(nats, 0)
    windows = list(_windows(opened, texts, nats, end))
    with torch.inference_mode():
        for batch in plan([len(window.ids) for window in windows], batch_tokens, 256):
            chosen = [windows[place] for place in batch]
            for window, found in zip(chosen, _nats(opened, chosen, end), strict=True):
                nats[window.number] += found
                counts[window.number] += len(window.ids) - 1
    return [TextScore(number, nats[number], counts[number]) for number in nats]


def _windows(opened: Opened, texts: Sequence[str], numbers: Iterable[int], end: int) -> Iterator[_Window]:
    for number in numbers:
        ids = [end, *opened.tokenizer(texts[number], add_special_tokens=False)["input_ids"]]
        # In training the last token of a sequence is a target alone.
        for low in range(0, len(ids) - 1, opened.longest - 1):
            yield _Window(number, ids[low : low + opened.longest])


def _nats(opened: Opened, windows: Sequence[_Window], end: int) -> list[float]:
    device = opened.model.device
    ids, mask = padded([window.ids for window in windows], end, device=device)
    given, targets = ids[:, :-1], ids[:, 1:]
    apart = document_inputs(given == end) if keeps_apart(opened.model) else {}
    logits = opened.model(input_ids=given, use_cache=False, **apart).logits
    nats = functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
    per_row = (nats.view(targets.shape).double() * mask[:, 1:]).sum(dim=1)
    return [float(value) for value in per_row]
