"""A causal model that writes known words after any prompt: each token has one that follows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from tests.inference.tiny import CHAT
from tests.training.tiny import END_OF_DOCUMENT, make_tokenizer


def scripted(folder: Path, words: Sequence[str], *, chat: bool = False) -> Path:
    """A Llama without layers whose next token is a table.

    Args:
        folder: Where it is written.
        words: What it writes, each a token; all different.
        chat: Whether the tokenizer has a chat template.
    """
    make_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    roles = ["<|user|>", "<|assistant|>", "<|system|>"] if chat else []
    tokenizer.add_special_tokens(roles)
    tokenizer.add_tokens(list(words))
    tokenizer.save(str(folder / "tokenizer.json"))
    if chat:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": CHAT}))
    size = tokenizer.get_vocab_size()
    end = tokenizer.token_to_id(END_OF_DOCUMENT)
    script = [tokenizer.token_to_id(word) for word in words]
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=size + size % 2,
        intermediate_size=8,
        num_hidden_layers=0,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=512,
        bos_token_id=end,
        eos_token_id=end,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    follows = [script[0]] * size
    for this, following in zip(script, [*script[1:], end], strict=True):
        follows[this] = following
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.eye(size, config.hidden_size))
        model.lm_head.weight.zero_()
        for this, following in enumerate(follows):
            model.lm_head.weight[following, this] = 10.0
    model.save_pretrained(folder)
    return folder
