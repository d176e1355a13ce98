"""The code that opens a model folder, as its README shows it; it runs as it stands, in the folder itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from training.models.sides import TARGET_FOLDER

Facts = Mapping[str, Any]

_NO_PIPELINE = "`transformers` 5 has no pipeline for this task; `ringlake` has a command:"


def opening(facts: Facts) -> list[str]:
    """The lines of the section: each block runs in the model's folder.

    No text of the data stands in a block, so that nothing in it can be anything but this code.

    Args:
        facts: Those of `training.models.card.facts`.
    """
    block = _chat if facts.get("chats") else _BLOCKS.get(facts.get("verb") or "", _any)
    return [
        "The code runs in the folder of the model; elsewhere, put the folder's path in place of the dot.",
        "",
        *block(facts),
    ]


def _language_model(facts: Facts) -> list[str]:
    return [
        *_python(f"""
from transformers import pipeline

write = pipeline("text-generation", model=".")
print(write("The ", max_new_tokens={_new(facts)})[0]["generated_text"])
"""),
        "In training each document followed the token that ends the one before it. `ringlake generate`",
        "begins a prompt with it, and so does this:",
        "",
        *_python(f"""
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForCausalLM.from_pretrained(".")
ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer("The", add_special_tokens=False)["input_ids"]]])
made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens={_new(facts)})
print(tokenizer.decode(made[0], skip_special_tokens=True))
"""),
        *_shell('ringlake generate . --prompt "The"'),
    ]


def _chat(facts: Facts) -> list[str]:
    return [
        *_python(f"""
from transformers import pipeline

chat = pipeline("text-generation", model=".")
messages = [{{"role": "user", "content": "Which word is the longest?"}}]
print(chat(messages, max_new_tokens={_new(facts)})[0]["generated_text"][-1]["content"])
"""),
        *_python(f"""
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForCausalLM.from_pretrained(".")
messages = [{{"role": "user", "content": "Which word is the longest?"}}]
given = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
)
made = model.generate(**given, max_new_tokens={_new(facts)})
print(tokenizer.decode(made[0, given["input_ids"].shape[1] :], skip_special_tokens=True))
"""),
        "With both, a message that spells a special token of the template gets that token. With `ringlake`",
        "it stays text:",
        "",
        *_shell('echo "Which word is the longest?" | ringlake generate . --chat'),
    ]


def _translation(facts: Facts) -> list[str]:
    # The name of a folder that ringlake gives, not one of the facts.
    two = bool(facts.get("target_tokenizer"))
    targets = f'\ntargets = AutoTokenizer.from_pretrained(".", subfolder="{TARGET_FOLDER}")' if two else ""
    return [
        *_python(f"""
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("."){targets}
model = AutoModelForSeq2SeqLM.from_pretrained(".")
given = tokenizer("The file is new.", return_tensors="pt")
made = model.generate(**given, num_beams=4, max_new_tokens={_new(facts)})
print({"targets" if two else "tokenizer"}.decode(made[0], skip_special_tokens=True))
"""),
        _NO_PIPELINE,
        "",
        *_shell('ringlake translate . --text "The file is new."'),
    ]


def _classification(facts: Facts) -> list[str]:
    return [
        *_python("""
from transformers import pipeline

classify = pipeline("text-classification", model=".")
print(classify("The text whose label is wanted."))
"""),
        *_python("""
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForSequenceClassification.from_pretrained(".")
with torch.no_grad():
    logits = model(**tokenizer("The text whose label is wanted.", return_tensors="pt")).logits
print(model.config.id2label[int(logits.argmax())])
"""),
        "A text that is longer than the model is an error there. `ringlake` reads it in parts:",
        "",
        *_shell('ringlake classify . --text "The text whose label is wanted."'),
    ]


def _question_answering(facts: Facts) -> list[str]:
    none = (
        "\n# The first token stands for: there is no answer here."
        "\nnone = made.start_logits[0, 0] + made.end_logits[0, 0]"
        if facts.get("no_answer")
        else ""
    )
    shown = "answer if best > none else 'no answer'" if facts.get("no_answer") else "answer"
    return [
        *_python(f"""
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForQuestionAnswering.from_pretrained(".")
question, context = "Who sleeps?", "The fox sleeps."
given = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
places = given.pop("offset_mapping")[0].tolist()
inside = [number for number, part in enumerate(given.sequence_ids(0)) if part == 1]
with torch.no_grad():
    made = model(**given)
best, first, last = max(
    (float(made.start_logits[0, first] + made.end_logits[0, last]), first, last)
    for first in inside
    for last in inside
    if first <= last
)
answer = context[places[first][0] : places[last][1]]{none}
print({shown})
"""),
        "This reads one window of a context; the command of `ringlake` reads a longer one in several.",
        _NO_PIPELINE,
        "",
        *_shell('ringlake answer . --question "Who sleeps?" --context "The fox sleeps."'),
    ]


def _any(facts: Facts) -> list[str]:
    """What can be said of any model: the class that opens it, and how it is given a text."""
    name = str(facts.get("auto_class") or "AutoModel")
    if not (name.isascii() and name.isidentifier()):
        return ["Its class is not known here: config.json names it."]
    embed = 'ringlake embed . --text "The text that the model is asked about."'
    return [
        *_python(f"""
import torch
from transformers import AutoTokenizer, {name}

tokenizer = AutoTokenizer.from_pretrained(".")
model = {name}.from_pretrained(".")
with torch.no_grad():
    print(model(**tokenizer("The text that the model is asked about.", return_tensors="pt")))
"""),
        *(_shell(embed) if facts.get("verb") == "embed" else []),
    ]


_BLOCKS: dict[str, Callable[[Facts], list[str]]] = {
    "generate": _language_model,
    "translate": _translation,
    "classify": _classification,
    "answer": _question_answering,
}
"""By the verb that the models of a task are asked by."""


def _new(facts: Facts) -> int:
    """Tokens that an example writes: it must fit into the model beside its prompt."""
    return max(1, min(40, (facts.get("longest") or 80) // 2))


def _python(code: str) -> list[str]:
    return ["```python", *code.strip().splitlines(), "```", ""]


def _shell(command: str) -> list[str]:
    return ["```bash", command, "```", ""]
