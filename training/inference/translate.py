"""A text in another language, by a sequence-to-sequence model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from training.errors import DataError
from training.inference.batches import padded, plan
from training.inference.folder import Opened, open_model
from training.inference.options import Options
from training.inference.predictor import Outcome, Prediction, Predictor, Refusal, Row, text_of
from training.inference.windows import padding_id, special_token


class Translator(Predictor):
    """The likeliest translation that beam search finds.

    A text longer than the model is refused: only its author knows where it may be cut.

    Args:
        model_dir: Model folder.
        options: How it is used.

    Raises:
        DataError: Besides those of `open_model`: the model does not know a language that is asked for.
    """

    def __init__(self, model_dir: str, options: Options) -> None:
        self._opened = open_model("translate", model_dir, options)
        self._options = options
        self._more = _languages(self._opened, options)
        own = self._opened.model.generation_config
        self._beams = options.beams or own.num_beams or 1
        positions = getattr(self._opened.model.config, "max_position_embeddings", None)
        self._most = positions - 1 if isinstance(positions, int) and positions > 1 else 2**20
        if options.max_new_tokens is not None and options.max_new_tokens > self._most:
            raise DataError(
                f"max_new_tokens = {options.max_new_tokens} is more than the {self._most} tokens that the "
                f"model writes"
            )
        # Its own limits would cut a translation in silence; sampling would make it another one each time.
        own.max_length = own.max_new_tokens = None
        own.do_sample, own.temperature, own.top_k, own.top_p = False, None, None, None

    def predict(self, rows: Sequence[Row]) -> list[Outcome]:
        """See `Predictor.predict`; rows have a `text`."""
        outcomes: dict[int, Outcome] = {}
        ids: dict[int, list[int]] = {}
        for number, row in enumerate(rows):
            found = self._ids(row)
            if isinstance(found, Refusal):
                outcomes[number] = found
            else:
                ids[number] = found
        with torch.inference_mode():
            for limit, numbers in self._by_limit({number: len(found) for number, found in ids.items()}):
                costs = [(len(ids[number]) + limit) * self._beams for number in numbers]
                for batch in plan(costs, self._options.batch_tokens):
                    members = [numbers[place] for place in batch]
                    texts = self._texts([ids[number] for number in members], limit)
                    outcomes.update({n: Prediction(text) for n, text in zip(members, texts, strict=True)})
        return [outcomes[number] for number in range(len(rows))]

    def _by_limit(self, lengths: dict[int, int]) -> list[tuple[int, list[int]]]:
        """Rows by the most tokens that their translations may have: a limit goes for a whole batch.

        It is a function of the row's own length in powers of two, so that few limits differ.
        """
        found: dict[int, list[int]] = {}
        for number, length in lengths.items():
            limit = self._options.max_new_tokens or min(self._most, 2 ** (2 * length + 15).bit_length())
            found.setdefault(limit, []).append(number)
        return sorted(found.items())

    def _ids(self, row: Row) -> list[int] | Refusal:
        text = text_of(row, "text")
        if isinstance(text, Refusal):
            return text
        ids: list[int] = self._opened.tokenizer(text)["input_ids"]
        plain = self._opened.tokenizer(text, add_special_tokens=False)["input_ids"]
        if (spelled := self._opened.spelled(plain)) is not None:
            return special_token(spelled)
        if len(ids) > self._opened.longest:
            return Refusal(
                "too_long",
                f"the text has {len(ids)} tokens, more than the {self._opened.longest} that the model takes; "
                f"split it into sentences first",
            )
        return ids

    def _texts(self, batch: list[list[int]], limit: int) -> list[str]:
        """The translations of texts, of so many tokens at most."""
        pad = padding_id(self._opened)
        ids, mask = padded(batch, pad or 0, device=self._opened.model.device)
        made = self._opened.model.generate(
            input_ids=ids,
            attention_mask=mask,
            num_beams=self._beams,
            do_sample=False,
            max_new_tokens=limit,
            **self._more,
        )
        return [str(text) for text in self._opened.writes.batch_decode(made, skip_special_tokens=True)]


def _languages(opened: Opened, options: Options) -> dict[str, Any]:
    """Tells the tokenizer the language of the texts, and the model that of the translations."""
    tokenizer: Any = opened.tokenizer
    if options.source_language is not None:
        _language_id(tokenizer, options.source_language)
        if not hasattr(tokenizer, "src_lang"):
            raise DataError(
                f"source_language = {options.source_language!r}: this model's tokenizer tells no languages "
                f"apart; leave it out"
            )
        tokenizer.src_lang = options.source_language
    if options.target_language is None:
        return {}
    return {"forced_bos_token_id": _language_id(opened.writes, options.target_language)}


def _language_id(tokenizer: Any, code: str) -> int:
    found = None
    if callable(getattr(tokenizer, "get_lang_id", None)):
        known = sorted(getattr(tokenizer, "lang_code_to_id", {}))
        found = tokenizer.get_lang_id(code) if code in known else None
    if found is None:
        found = tokenizer.get_vocab().get(code)
    if found is None:
        raise DataError(f"the model knows no language {code!r}; use a code of its tokenizer, such as de_DE")
    return int(found)
