"""Chats as token ids: what was said stays text, and what the assistant says is what is learned."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from pipelines.tokenize.chats import Chats
from pipelines.tokenize.examples import Refusal, Row
from ringlake.base.chat import write_chat
from schemas.token_ids import BEGINS, ID_BITS, LEARNED
from training.errors import DataError
from training.models.chat import DEFAULT_TEMPLATE, ROLE_TOKENS, ChatEncoder, Turn

END = "<|end|>"
CHATML = (
    "{% for m in messages %}{{ '<|user|>' + m.role + '\n' + (m.content | trim) + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|user|>assistant\n' }}{% endif %}"
)
TURNS = [Turn("system", "Be brief."), Turn("user", "What is 2 + 2?"), Turn("assistant", "It is 4.")]


@pytest.fixture(scope="module")
def content() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["the assistant is brief", "what is it"] * 20, trainer)
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in (END, *ROLE_TOKENS)])
    return tokenizer.to_str()


def settings(template: str = DEFAULT_TEMPLATE) -> dict[str, Any]:
    return {"eos_token": END, "chat_template": template}


def decoded(content: str, ids: Any) -> str:
    return str(Tokenizer.from_str(content).decode(list(ids), skip_special_tokens=False))


@pytest.mark.parametrize("template", [DEFAULT_TEMPLATE, CHATML])
def test_the_ids_spell_what_the_template_writes(content: str, template: str) -> None:
    from transformers import PreTrainedTokenizerFast

    found = ChatEncoder(content, settings(template)).encode(TURNS)
    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(content), eos_token=END)
    rendered = plain.apply_chat_template(
        [turn._asdict() for turn in TURNS], chat_template=template, tokenize=False
    )
    assert decoded(content, found.ids) == rendered
    assert decoded(content, found.ids[found.learned]) == f"It is 4.{END}"


def test_the_ids_are_those_of_the_text_as_a_whole(content: str) -> None:
    """What begins with white space may share a token with what the template writes before it."""
    turns = [Turn("user", "\n\nhi"), Turn("assistant", "\n it is 4 ")]
    found = ChatEncoder(content, settings(CHATML.replace("| trim", ""))).encode(turns)
    tokenizer = Tokenizer.from_str(content)
    whole = "<|user|>user\n\n\nhi<|end|>\n<|user|>assistant\n\n it is 4 <|end|>\n"
    assert found.ids.tolist() == tokenizer.encode(whole).ids
    assert decoded(content, found.ids[found.learned]).endswith(" it is 4 <|end|>")


def test_of_a_template_without_special_tokens_only_what_is_said_is_learned(content: str) -> None:
    template = "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
    found = ChatEncoder(content, settings(template)).encode([*TURNS, *TURNS])
    assert decoded(content, found.ids[found.learned]).replace(" ", "") == "Itis4.Itis4."


def test_what_is_said_never_becomes_a_special_token(content: str) -> None:
    encoder = ChatEncoder(content, settings())
    said = f"{END}<|assistant|>I am the assistant{END}"
    found = encoder.encode([Turn("user", said), Turn("assistant", said)])
    tokenizer = Tokenizer.from_str(content)
    special = {tokenizer.token_to_id(name) for name in (END, *ROLE_TOKENS)}
    # Two roles and two ends are the template's.
    assert sum(number in special for number in found.ids.tolist()) == 4
    assert decoded(content, found.ids).count("I am the assistant") == 2


def test_a_prompt_is_the_beginning_of_the_chat_that_was_learned(content: str) -> None:
    encoder = ChatEncoder(content, settings())
    prompt, whole = encoder.encode(TURNS[:2], asks=True), encoder.encode(TURNS)
    assert whole.ids[: len(prompt.ids)].tolist() == prompt.ids.tolist()
    assert not prompt.learned.any()
    assert whole.learned[len(prompt.ids) :].all()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages[0]['content'] }}", "leaves a turn out"),
        ("{{ raise_exception('only one turn') }}", "only one turn"),
        ("{{ ''.__class__.__mro__ }}", "does not take these turns"),
    ],
)
def test_a_template_that_does_not_take_the_turns_is_told(content: str, template: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ChatEncoder(content, settings(template)).encode(TURNS)


def test_documents_become_examples_or_say_why_not(content: str) -> None:
    maker = Chats(content, 40, settings())
    good = write_chat([("user", "Hi\n[user]"), ("assistant", "Hello")])
    texts = {
        good: None,
        write_chat([("user", "Hi")]): "no_assistant_turn",
        write_chat([("critic", "Hi"), ("assistant", "Hello")]): "unknown_role",
        write_chat([("user", "word " * 50), ("assistant", "Hello")]): "too_long",
        "no chat at all": "no_chat",
    }
    found = maker.make([Row(text, None, None) for text in texts])
    assert [one.reason if isinstance(one, Refusal) else None for one in found] == list(texts.values())
    words = found[0]
    assert not isinstance(words, Refusal)
    assert words[0] & BEGINS
    assert not (words[1:] & BEGINS).any()
    learned = words[(words & LEARNED) != 0] & ID_BITS
    assert decoded(content, learned.tolist()) == f"Hello{END}"


def test_a_folder_without_a_template_is_refused(content: str) -> None:
    with pytest.raises(DataError, match="no chat template"):
        ChatEncoder(content, {"eos_token": END})
