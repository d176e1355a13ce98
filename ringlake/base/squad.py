"""Where an answer stands in its context, also once the context was changed by what cleans it."""

from __future__ import annotations


def place_answer(context: str, answer: str, start: int) -> int | None:
    """Where an answer begins in a context: at its place, else at the occurrence nearest to it.

    Cleaning shortens a context here and there, so that what was found at a place stands some characters
    before it. Of two occurrences equally near the earlier one is taken. The time is linear in the context.

    Args:
        context: The text, perhaps repaired and redacted since.
        answer: What is looked for.
        start: Where it stood, in characters (code points).

    Returns:
        Its place in characters; None where it does not occur or is empty.

    Example:
        >>> place_answer("to be or not to be", "be", 15)
        16
    """
    if not answer:
        return None
    start = min(max(start, 0), len(context))
    if context.startswith(answer, start):
        return start
    after = context.find(answer, start)
    # Backwards by turning both round: str.rfind takes quadratic time for some answers, str.find never does.
    head = context[: start + len(answer) - 1]
    turned = head[::-1].find(answer[::-1])
    before = -1 if turned < 0 else len(head) - turned - len(answer)
    if after < 0 or before < 0:
        return max(after, before) if max(after, before) >= 0 else None
    return before if start - before <= after - start else after


def only_place(context: str, answer: str) -> int | None:
    """Where an answer begins in a context if it occurs exactly once there, overlapping itself included."""
    first = context.find(answer) if answer else -1
    return None if first < 0 or context.find(answer, first + 1) >= 0 else first
