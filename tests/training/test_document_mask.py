"""With the mask, what a model says of a document does not depend on its neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from training.errors import DataError
from training.models.document_mask import check_obeys, document_inputs, keep_apart, keeps_apart
from training.models.loss import shift_targets, sum_nats

END, VOCAB = 0, 16


def small(architecture: str, **more: int) -> PreTrainedModel:
    torch.manual_seed(1)
    sizes = {"vocab_size": VOCAB, "max_position_embeddings": 32, "hidden_size": 16, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2, **more}
    config = AutoConfig.for_model(architecture, **sizes)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    return model


@pytest.fixture(scope="module")
def llama() -> torch.nn.Module:
    return small("llama", intermediate_size=32, num_key_value_heads=2)


documents = st.lists(st.integers(1, VOCAB - 1), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(before=documents, document=documents, after=documents)
def test_logits_of_a_document_do_not_depend_on_its_neighbours(
    llama: torch.nn.Module, before: list[int], document: list[int], after: list[int]
) -> None:
    row = torch.tensor([[*before, END, *document, END, *after]])
    alone = torch.tensor([[END, *document]])
    with torch.no_grad():
        packed = llama(input_ids=row, use_cache=False, **document_inputs(row == END)).logits[0]
        single = llama(input_ids=alone, use_cache=False).logits[0]
        plain = llama(input_ids=row, use_cache=False).logits[0]
    own = slice(len(before), len(before) + 1 + len(document))
    torch.testing.assert_close(packed[own], single, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(plain[own], single, rtol=1e-4, atol=1e-5)


def test_the_loss_is_that_of_the_documents_one_by_one(llama: torch.nn.Module) -> None:
    """In a padded row: targets in the padding count for nothing, and those behind an end see it alone."""
    row = torch.tensor([[3, 4, END, 5, 6, 7, END, END, END]])
    targets = shift_targets(row, torch.tensor([7]))
    with torch.no_grad():
        together = sum_nats(llama, row, targets, END)
        parts = [
            sum_nats(llama, part, shift_targets(part, torch.tensor([part.shape[1]])))
            for part in (torch.tensor([[3, 4, END]]), torch.tensor([[END, 5, 6, 7, END]]))
        ]
    torch.testing.assert_close(together, sum(parts), rtol=1e-5, atol=1e-5)


def test_by_hand() -> None:
    given_ = document_inputs(torch.tensor([[5, END, 6, 7, END]]) == END)
    assert given_["position_ids"].tolist() == [[0, 0, 1, 2, 0]]
    assert given_["attention_mask"][0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 0, 0, 1],
    ]


class _Deaf(torch.nn.Module):
    """A model that takes a mask and does not heed it."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.config = inner, inner.config

    def forward(
        self, input_ids: torch.Tensor, position_ids: object, attention_mask: object, **_: object
    ) -> Any:
        return self.inner(input_ids=input_ids, use_cache=False)


def test_models_that_do_not_obey_are_refused(llama: torch.nn.Module) -> None:
    check_obeys(llama, END)
    check_obeys(small("gpt2", bos_token_id=0, eos_token_id=0), END)
    with pytest.raises(DataError, match="'llama' model does not keep documents apart"):
        check_obeys(_Deaf(llama), END)


def test_a_model_keeps_what_it_was_trained_with(llama: torch.nn.Module, tmp_path: Path) -> None:
    assert not keeps_apart(llama)
    with pytest.raises(DataError, match="names no token that ends a document"):
        keep_apart(llama, None)
    model = small("llama", intermediate_size=32, num_key_value_heads=2)
    keep_apart(model, END)
    model.save_pretrained(tmp_path)
    assert keeps_apart(AutoModelForCausalLM.from_pretrained(tmp_path))
