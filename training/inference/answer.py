"""The part of a context that answers a question, by a model with a question-answering head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.errors import DataError
from training.inference.folder import open_model
from training.inference.options import Options
from training.inference.predictor import Outcome, Prediction, Predictor, Refusal, Row, text_of
from training.inference.windows import Window, batches_of, special_token

OVERLAP = 128
"""Tokens that two neighbouring windows of a context share, as SQuAD's scripts have it (doc_stride)."""

LEAST_CONTEXT = 16
"""A question that leaves fewer tokens of a window for the context is refused."""


@dataclass
class _Part:
    """A window and what the model says of it.

    Attributes:
        window: What the model reads.
        offsets: Characters (from, to) of the context that each token stands for; None for all other tokens.
        best: Logits of the best span, start and end together.
        span: Characters of that span.
        total: Logarithm of the sum of the exponentials over all spans.
        null: Logits of "no answer", at the first token.
    """

    window: Window
    offsets: list[tuple[int, int] | None]
    best: float = -math.inf
    span: tuple[int, int] = (0, 0)
    total: float = -math.inf
    null: float = math.inf


class Answerer(Predictor):
    """The likeliest span of the context, an exact substring of it, and its probability among all spans.

    A context longer than the model is read in overlapping windows. Where the model may say that there is no
    answer (SQuAD 2.0), its logits at the first token are the score of that, the least of all windows; if it
    is above the best span's, the answer is empty.

    Args:
        model_dir: Model folder.
        options: How it is used.
    """

    def __init__(self, model_dir: str, options: Options) -> None:
        self._opened = open_model("answer", model_dir, options)
        if not self._opened.tokenizer.is_fast:
            raise DataError(f"{model_dir} has no tokenizer.json, which tells where in a text a token lies")
        self._options = options
        told = options.no_answer
        self._no_answer = bool(
            getattr(self._opened.model.config, "no_answer", False) if told is None else told
        )

    def predict(self, rows: Sequence[Row]) -> list[Outcome]:
        """See `Predictor.predict`; rows have a `question` and a `context`."""
        outcomes: dict[int, Outcome] = {}
        parts: list[_Part] = []
        contexts: dict[int, str] = {}
        for number, row in enumerate(rows):
            question, context = text_of(row, "question"), text_of(row, "context")
            if isinstance(question, Refusal) or isinstance(context, Refusal):
                outcomes[number] = question if isinstance(question, Refusal) else context  # type: ignore[assignment]
                continue
            found = self._parts(number, question, context)
            if isinstance(found, Refusal):
                outcomes[number] = found
            else:
                contexts[number] = context
                parts += found
        with torch.inference_mode():
            for batch, inputs in batches_of(self._opened, [part.window for part in parts], self._options):
                made = self._opened.model(**inputs)
                starts, finishes = made.start_logits.float().cpu(), made.end_logits.float().cpu()
                for place, number in enumerate(batch):
                    self._judge(parts[number], starts[place], finishes[place])
        for number, context in contexts.items():
            outcomes[number] = self._answer(context, [part for part in parts if part.window.row == number])
        return [outcomes[number] for number in range(len(rows))]

    def _parts(self, row: int, question: str, context: str) -> list[_Part] | Refusal:
        """The windows of a row."""
        tokenizer = self._opened.tokenizer
        used = len(tokenizer(question, add_special_tokens=False)["input_ids"])
        room = self._opened.longest - used - tokenizer.num_special_tokens_to_add(pair=True)
        if room < LEAST_CONTEXT:
            return Refusal(
                "too_long",
                f"the question has {used} tokens, which leaves {max(room, 0)} of the model's "
                f"{self._opened.longest} for the context; shorten it",
            )
        made = tokenizer(
            question,
            context,
            truncation="only_second",
            max_length=self._opened.longest,
            stride=min(OVERLAP, room // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )
        found = []
        for number, ids in enumerate(made["input_ids"]):
            added = made["special_tokens_mask"][number]
            spelled = self._opened.spelled(id_ for id_, new in zip(ids, added, strict=True) if not new)
            if spelled is not None:
                return special_token(spelled)
            sides = made.sequence_ids(number)
            spans = [
                (int(start), int(stop)) if side == 1 and stop > start else None
                for side, (start, stop) in zip(sides, made["offset_mapping"][number], strict=True)
            ]
            types = made["token_type_ids"][number] if "token_type_ids" in made else None
            found.append(_Part(Window(row, ids, types), spans))
        return found

    def _judge(self, part: _Part, start: torch.Tensor, finish: torch.Tensor) -> None:
        """Notes the best span of a window and the sum over all; start and finish are (tokens,)."""
        length = len(part.offsets)
        part.null = float(start[0] + finish[0])
        inside = torch.tensor([item is not None for item in part.offsets])
        if not inside.any():
            return
        start = start[:length].masked_fill(~inside, -torch.inf)
        finish = finish[:length].masked_fill(~inside, -torch.inf)
        spans = start.unsqueeze(1) + finish.unsqueeze(0)
        near = torch.ones(length, length, dtype=torch.bool).triu().tril(self._options.max_answer_tokens - 1)
        spans = spans.masked_fill(~near, -torch.inf)
        part.total = float(torch.logsumexp(spans.flatten(), 0))
        place = int(spans.argmax())
        part.best = float(spans.flatten()[place])
        first, last = part.offsets[place // length], part.offsets[place % length]
        assert first is not None and last is not None, "a span ends outside the context"
        part.span = (first[0], last[1])

    def _answer(self, context: str, parts: Sequence[_Part]) -> Prediction | Refusal:
        best = max(parts, key=lambda part: part.best)
        logits = [part.total for part in parts]
        null = min(part.null for part in parts)
        if self._no_answer:
            logits.append(null)
        total = float(torch.logsumexp(torch.tensor(logits, dtype=torch.float64), 0))
        if self._no_answer and null > best.best:
            return Prediction("", math.exp(null - total))
        if best.best == -math.inf:
            return Refusal("empty", "'context' has no token that could be an answer")
        # Tokens of byte-level vocabularies have the space before a word in them.
        return Prediction(context[slice(*best.span)].strip(), min(1.0, math.exp(best.best - total)))
