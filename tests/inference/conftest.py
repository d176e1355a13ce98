"""One model of each kind for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inference import tiny


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model folders by verb, and a causal model that chats."""
    place = tmp_path_factory.mktemp("models")
    return {
        "classify": tiny.encoder(place / "classify", "classification"),
        "answer": tiny.encoder(place / "answer", "question-answering"),
        "embed": tiny.encoder(place / "embed", "base"),
        "translate": tiny.translator(place / "translate"),
        "generate": tiny.writer(place / "generate"),
        "chat": tiny.writer(place / "chat", chat=True),
    }
