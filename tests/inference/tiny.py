"""Models of every kind with random weights, so small that they are made in a moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from tests.training.tiny import make_tokenizer

TEXTS = [
    "the quick brown fox",
    "the lazy dog sleeps",
    "a value is missing",
    "none of them returns and the fox jumps over the lazy dog if it is missing a value",
    "fox",
    "dog dog dog dog dog dog dog",
]
LENGTH = 64
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|endoftext|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def encoder(folder: Path, kind: str, **changes: Any) -> Path:
    """A BERT without a head ('base') or with one ('classification', 'question-answering')."""
    tokenizer = _wordpiece(folder)
    if kind == "classification":
        changes |= {"id2label": {0: "bad", 1: "good", 2: "odd"}, "label2id": {"bad": 0, "good": 1, "odd": 2}}
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=LENGTH,
        pad_token_id=0,
        # So large that what a model says depends on every token.
        initializer_range=0.6,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        **changes,
    )
    made = {
        "base": BertModel,
        "classification": BertForSequenceClassification,
        "question-answering": BertForQuestionAnswering,
    }[kind]
    torch.manual_seed(7)
    made(config).save_pretrained(folder)
    return folder


def translator(folder: Path) -> Path:
    """A BART."""
    tokenizer = _wordpiece(folder)
    config = BartConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=LENGTH,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        decoder_start_token_id=3,
        forced_eos_token_id=None,
        init_std=0.6,
    )
    torch.manual_seed(7)
    BartForConditionalGeneration(config).save_pretrained(folder)
    return folder


def writer(folder: Path, *, chat: bool = False) -> Path:
    """A Llama with a byte-level tokenizer, as ringlake trains it; perhaps with a chat template."""
    make_tokenizer(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    roles = ["<|user|>", "<|assistant|>", "<|system|>"] if chat else []
    if chat:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.add_special_tokens(roles)
        tokenizer.save(str(folder / "tokenizer.json"))
        settings["chat_template"] = CHAT
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = LlamaConfig(
        vocab_size=300 + len(roles),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=LENGTH,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.6,
    )
    torch.manual_seed(7)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _wordpiece(folder: Path) -> Tokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([*TEXTS, "[ ] c l s e p . , ?"], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "eos_token": "[SEP]",
        "model_max_length": LENGTH,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer
