"""The kinds of personal data and secrets, in the order in which they are looked for."""

from __future__ import annotations

PLACEHOLDERS: dict[str, str] = {
    "private_key": "[PRIVATE_KEY]",
    "api_key": "[API_KEY]",
    "email": "[EMAIL]",
    "iban": "[IBAN]",
    "credit_card": "[CREDIT_CARD]",
    "national_id": "[NATIONAL_ID]",
    "ip_address": "[IP_ADDRESS]",
    "phone": "[PHONE]",
}
"""What stands in place of each kind. What is told by its form alone comes first, what is told by digits last,
so that a card number is no phone number."""

KINDS: tuple[str, ...] = tuple(PLACEHOLDERS)


def rule_name(kind: str) -> str:
    """The rule by which a document with data of this kind is rejected, where the run asks for that."""
    return f"privacy.{kind}.max"
