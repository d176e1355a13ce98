"""The search on plain strings against a reference with Python sets."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.decontaminate import DecontaminateConfig
from pipelines.clean.forms import CleanedForms
from pipelines.decontaminate.index import Hit, build_index, search, words_between
from tests.decontaminate.support import overlap, wanted, words, write_jsonl

WORDS = st.lists(st.sampled_from(["a", "B", "ab", "É", "x1", "_", "ж", "你", "好"]), max_size=25)
GAPS = st.sampled_from([" ", ", ", "\n", "。", "--", "\u2003", "🙂"])
TEXTS = st.builds(lambda parts, gap: gap.join(parts), WORDS, GAPS)


def find(
    documents: list[str], items: list[list[str]], **options: float
) -> tuple[list[Hit], DecontaminateConfig]:
    with tempfile.TemporaryDirectory() as folder:
        path = write_jsonl(Path(folder, "set.jsonl"), [{"id": n, "t": item} for n, item in enumerate(items)])
        config = DecontaminateConfig.model_validate({"sets": [path], **options})
        index, _ = build_index(config, CleanedForms())
    return search(pa.array(documents, pa.string()), index, config), config


@settings(max_examples=200)
@given(
    documents=st.lists(TEXTS, max_size=4),
    items=st.lists(st.lists(TEXTS, max_size=2), max_size=4),
    ngram=st.integers(2, 6),
    shortest=st.integers(2, 4),
)
def test_what_is_found_is_what_python_sets_share(
    documents: list[str], items: list[list[str]], ngram: int, shortest: int
) -> None:
    hits, config = find(documents, items, ngram=ngram, min_item_words=shortest)
    targets = wanted([text for item in items for text in item], config)
    expected = {row: found for row, text in enumerate(documents) if (found := overlap(text, targets))}
    assert {hit.row: hit.num_ngrams for hit in hits} == {row: len(found) for row, found in expected.items()}
    for hit in hits:
        first = min(expected[hit.row])
        length = len(words(hit.example))
        assert words(documents[hit.row])[first : first + length] == words(hit.example)
        assert tuple(words(hit.example)) in targets
        of_item = wanted(items[hit.item], config)
        assert tuple(words(hit.example)) in of_item
        assert not any(tuple(words(hit.example)) in wanted(item, config) for item in items[: hit.item])
        assert 0 < hit.share <= 1
        assert len(hit.hashes) <= len(targets)


@settings(max_examples=200)
@given(text=TEXTS.filter(words), data=st.data())
def test_a_stretch_of_words_is_cut_out_of_the_text(text: str, data: st.DataObject) -> None:
    split = words(text)
    first = data.draw(st.integers(0, len(split) - 1))
    count = data.draw(st.integers(1, len(split) - first))
    assert words(words_between(text.lower(), first, count)) == split[first : first + count]


def test_thresholds_of_number_and_share_both_count() -> None:
    shared = "one two three four five"
    item = [[shared]]
    long = shared + " " + " ".join(f"w{n}" for n in range(95))
    options = {"ngram": 3, "min_item_words": 2}
    assert [hit.num_ngrams for hit in find([long], item, **options)[0]] == [3]
    assert find([long], item, **options, min_ngrams=4)[0] == []
    assert [hit.share for hit in find([long], item, **options, min_share=3 / 98)[0]] == [3 / 98]
    assert find([long], item, **options, min_share=0.04)[0] == []


def test_a_short_text_is_found_as_a_whole_and_a_shorter_one_not_at_all() -> None:
    items = [["The quick brown fox jumps over lazy dogs"], ["What is the capital of France?"]]
    document = "so THE QUICK, brown fox jumps over lazy dogs; what is the capital of france"
    hits, _ = find([document, "the quick brown fox jumps over lazy"], items)
    assert [(hit.row, hit.item, hit.num_ngrams) for hit in hits] == [(0, 0, 1)]
    assert hits[0].example == "the quick, brown fox jumps over lazy dogs"
