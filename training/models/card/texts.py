"""What a model is for, and what it is not good for, by task: plain words that no measurement replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conf.task import TaskName

_USES: dict[TaskName, str] = {
    "language-model": "It continues a text in the manner of the texts that it was trained on. It is meant "
    "for research, for comparing data and ways of training, and as a start for training on a task.",
    "instruct": "It answers in chats in the manner of the chats that it was trained on. It is meant for "
    "research, and for assistants whose answers a person reads and checks.",
    "translation": "It translates a text, from the language of its training texts to that of their targets. "
    "It is meant for a first version that a person who knows both languages reads and corrects.",
    "classification": "It gives a text one of its labels. It is meant for sorting and counting many texts, "
    "where some wrong labels do no harm or a person looks at them.",
    "question-answering": "It finds the part of a given context that answers a question. It is meant for "
    "showing a reader where to look.",
}

_LIMITS: dict[TaskName, tuple[str, ...]] = {
    "language-model": (
        "It invents facts, names, numbers and sources, and writes them as plainly as true ones.",
        "It knows nothing but the texts that it was trained on: other languages, subjects and kinds of text "
        "it continues badly, and it knows nothing that is newer.",
        "It can repeat passages of those texts word for word, and with them names or other personal data "
        "that cleaning did not find.",
    ),
    "instruct": (
        "It invents facts, names, numbers and sources, and says them as plainly as true ones.",
        "It imitates the chats that it was trained on. It was not trained to refuse harmful requests, and a "
        "message can lead it away from what an earlier one told it.",
        "It can repeat passages of its training texts word for word, and with them names or other personal "
        "data that cleaning did not find.",
    ),
    "translation": (
        "A fluent translation can be wrong: it may leave something out, add something, or turn a sentence "
        "into its opposite, above all with names, numbers and negations.",
        "It translates in one direction only, and each text for itself: what stood before, it does not know.",
        "A score such as BLEU compares words with one right translation; it does not say that the meaning is "
        "kept.",
    ),
    "classification": (
        "It knows these labels only, and gives one of them to every text, also where none is right or the "
        "text is in another language.",
        "It learned what the labels of its training texts mean from those texts alone, with all mistakes and "
        "habits of whoever gave them.",
        "Its score is no promise: the scores below tell, as calibration error, how far it is from the share "
        "that is right.",
    ),
    "question-answering": (
        "An answer is always a part of the context, word for word. Whether the context is true it does not "
        "know, and what is not in it it cannot say.",
        "It was trained on questions that people wrote for such contexts; other questions it answers worse.",
    ),
}

_OF_ALL = (
    "It was not tested for fairness between groups of people, for prejudice, or for harmful output. Do not "
    "let it decide about people, and do not use it where a mistake hurts somebody.",
    "Its scores, where there are some, are those of texts of the same origin that were held out. On other "
    "texts it is worse.",
)


def use(facts: Mapping[str, Any]) -> str:
    """What a model is meant for.

    Args:
        facts: Those of `training.models.card.facts`.
    """
    task: TaskName = facts["task"]
    return _USES[task]


def limits(facts: Mapping[str, Any]) -> list[str]:
    """What has to be known before it is used, a sentence or two each."""
    task: TaskName = facts["task"]
    found = list(_LIMITS[task])
    if task == "question-answering":
        found.append(
            "It may also say that the context has no answer, by an empty one; it is sometimes wrong in that."
            if facts.get("no_answer")
            else "It answers every question, also one that the context does not answer."
        )
    if facts.get("longest"):
        found.append(f"It reads at most {facts['longest']:,} tokens at once.")
    return [*found, *_OF_ALL]
