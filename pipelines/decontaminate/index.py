"""The n-grams of all evaluation sets as sorted arrays of hashes, and the search for them in documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from conf.decontaminate import DecontaminateConfig
from pipelines.decontaminate.alike import PLACEHOLDER_WORDS, Forms, documents_alike, placeholders_in
from pipelines.decontaminate.items import read_items, set_names
from pipelines.errors import InputError
from pipelines.text.characters import LONE, TABLE_SIZE, WORD, character_classes
from pipelines.text.lowered import lowered
from pipelines.text.shingles import U64, find_ngrams, ngram_hashes, text_hashes

EXAMPLE_CHARS = 400

_CHUNK_ITEMS = 10_000

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Index:
    """What documents are searched for; travels to the executors.

    Attributes:
        names: Names of the evaluation sets.
        item_ids: Id of every item.
        item_sets: Its set, int32 of shape (items,).
        lists, hashes, starts: The n-grams, a list a length, as `shingles.find_ngrams` takes them.
        items: The first item that has each n-gram, int32 of shape (n-grams,).
        sets, set_starts: The sets that have n-gram k are sets[set_starts[k] : set_starts[k + 1]].
        repaired: Whether the documents come repaired; those that do not are repaired for the search.
    """

    names: tuple[str, ...]
    item_ids: pa.Array
    item_sets: npt.NDArray[np.int32]
    lists: I64
    hashes: U64
    starts: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    sets: npt.NDArray[np.int32]
    set_starts: I64
    repaired: bool = False


@dataclass(frozen=True)
class Counts:
    """What stays on the driver: all (n-gram, item) pairs, to count the items that were found.

    Attributes:
        hashes: Of the pairs, in ascending order.
        items: The item of each pair.
        num_texts: Texts of each set by what became of them: 'ngrams', 'whole', 'too_short'.
    """

    hashes: U64
    items: npt.NDArray[np.int32]
    num_texts: tuple[dict[str, int], ...] = field(default=())


@dataclass(frozen=True)
class Hit:
    """An n-gram overlap of one document.

    Attributes:
        row: Number of the document among those searched.
        item: The first item that has its first shared n-gram.
        num_ngrams: Words at which a shared n-gram begins.
        share: num_ngrams by the number of its n-grams.
        example: The first shared n-gram, as the lower-cased document has it.
        sets: Every set that shares an n-gram.
        hashes: The shared n-grams, distinct, ascending.
    """

    row: int
    item: int
    num_ngrams: int
    share: float
    example: str
    sets: tuple[int, ...]
    hashes: U64


def build_index(config: DecontaminateConfig, forms: Forms) -> tuple[Index, Counts]:
    """Reads all sets.

    A text of an item (a field, a SQuAD question) gives its word n-grams. A shorter one of at least
    `min_item_words` words counts as one n-gram of its own length; a still shorter one gives none. Each form
    that cleaning may have given to the text gives its n-grams.

    Args:
        config: Names the sets.
        forms: Says in which forms an evaluation text may be in the corpus.

    Raises:
        InputError: A set cannot be read, or they have more than `config.max_ngrams` n-grams together.
    """
    names = set_names(config)
    ids: list[str] = []
    item_sets: list[int] = []
    parts: dict[int, list[tuple[U64, I64]]] = {}
    fates = [dict.fromkeys(("items", "ngrams", "whole", "too_short"), 0) for _ in names]
    total = 0
    for number, given in enumerate(config.sets):
        items = read_items(given, config.max_file_bytes)
        while chunk := list(islice(items, _CHUNK_ITEMS)):
            texts = [text for _, of_item in chunk for text in of_item]
            owners = np.repeat(
                np.arange(len(ids), len(ids) + len(chunk)), [len(of_item) for _, of_item in chunk]
            )
            ids += [key for key, _ in chunk]
            item_sets += [number] * len(chunk)
            fates[number]["items"] += len(chunk)
            for length, hashes, of in _ngrams_of(texts, owners, forms, config, fates[number]):
                total += len(hashes)
                if total > config.max_ngrams:
                    raise InputError(
                        f"the evaluation sets have more than decontaminate.max_ngrams = "
                        f"{config.max_ngrams:,} n-grams, reached in {given.path!r}; raise it, leave out a "
                        "set, or name fewer of its fields"
                    )
                parts.setdefault(length, []).append((hashes, of))
    lengths = sorted(parts, reverse=True)
    pairs = [
        (np.concatenate([hashes for hashes, _ in parts[n]]), np.concatenate([of for _, of in parts[n]]))
        for n in lengths
    ]
    sets = np.asarray(item_sets, dtype=np.int32)
    index = _joined(tuple(names), pa.array(ids, pa.string()), sets, lengths, pairs, forms.repaired)
    hashes = np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _ in pairs)])
    items_of = np.concatenate([np.empty(0, np.int64), *(of for _, of in pairs)])
    order = np.argsort(hashes, kind="stable")
    return index, Counts(hashes[order], items_of[order].astype(np.int32), tuple(fates))


def _ngrams_of(
    texts: list[str], owners: I64, forms: Forms, config: DecontaminateConfig, fates: dict[str, int]
) -> Iterator[tuple[int, U64, I64]]:
    """Length, hashes and items of the n-grams of some texts, and of the short ones, a length at a time."""
    of_texts = forms.of(texts)
    parts = np.repeat(np.arange(len(texts)), [len(of_text) for of_text in of_texts])
    written, classes = [form for of_text in of_texts for form in of_text], character_classes()
    data, offsets = lowered(pa.array(written, pa.string()))
    hashes, counts = ngram_hashes(data, offsets, classes, config.ngram)
    words, num_words = ngram_hashes(data, offsets, classes, 1)
    ends = np.cumsum(num_words)
    placeholders = _word_hashes(PLACEHOLDER_WORDS)
    told = np.ones(len(hashes), np.bool_)
    if np.isin(words, placeholders).any():
        # A list of addresses is the same row of placeholders everywhere: words must tell the n-gram.
        marked = placeholders_in(words, placeholders, config.ngram)
        first = np.concatenate(
            [
                np.arange(end - of, end - of + count)
                for end, of, count in zip(ends, num_words, counts, strict=True)
            ]
        )
        told = config.ngram - marked[first] >= _least_words(config, config.ngram)
    yield config.ngram, hashes[told], np.repeat(owners[parts], counts)[told]
    whole, num_words = text_hashes(data, offsets, classes)
    # The text as its publisher wrote it says whether it is long enough; placeholders shorten it.
    longest = np.zeros(len(texts), np.int64)
    np.maximum.at(longest, parts, num_words)
    fates["ngrams"] += int((longest >= config.ngram).sum())
    fates["whole"] += int(((longest < config.ngram) & (longest >= config.min_item_words)).sum())
    fates["too_short"] += int((longest < min(config.ngram, config.min_item_words)).sum())
    marks = np.concatenate([[0], np.cumsum(np.isin(words, placeholders))])
    own = num_words - (marks[ends] - marks[ends - num_words])
    needed = np.where(own < num_words, _least_words(config, config.min_item_words), config.min_item_words)
    short = (num_words < config.ngram) & (longest[parts] >= config.min_item_words) & (own >= needed)
    for length in np.unique(num_words[short]):
        mine = short & (num_words == length)
        yield int(length), whole[mine], owners[parts[mine]]


def _least_words(config: DecontaminateConfig, length: int) -> int:
    """Words besides placeholders that an n-gram needs: half of those that a text needs to be looked for."""
    return (min(config.min_item_words, length) + 1) // 2


def _word_hashes(words: tuple[str, ...]) -> U64:
    data, offsets = lowered(pa.array([" ".join(words)], pa.string()))
    return ngram_hashes(data, offsets, character_classes(), 1)[0]


def _joined(
    names: tuple[str, ...],
    item_ids: pa.Array,
    item_sets: npt.NDArray[np.int32],
    lengths: list[int],
    pairs: list[tuple[U64, I64]],
    repaired: bool,
) -> Index:
    """Sorts the (n-gram, item) pairs of each length and joins the lengths."""
    lists: list[tuple[int, int, int]] = []
    hashes, starts, items = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    places, sets = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    total, num_starts = 0, 0
    for length, (all_hashes, all_items) in zip(lengths, pairs, strict=True):
        order = np.lexsort((all_items, all_hashes))
        distinct, first = np.unique(all_hashes[order], return_index=True)
        place = np.searchsorted(distinct, all_hashes)
        having = np.unique(np.stack([place, item_sets[all_items].astype(np.int64)]), axis=1)
        bits = max(1, len(distinct).bit_length())
        buckets = (distinct >> np.uint64(64 - bits)).astype(np.int64)
        lists.append((length, num_starts, 64 - bits))
        hashes.append(distinct)
        starts.append(total + np.searchsorted(buckets, np.arange(2**bits + 1)))
        items.append(all_items[order][first])
        places.append(total + having[0])
        sets.append(having[1])
        total += len(distinct)
        num_starts += 2**bits + 1
    return Index(
        names=names,
        item_ids=item_ids,
        item_sets=item_sets,
        lists=np.asarray(lists, dtype=np.int64).reshape(-1, 3),
        hashes=np.concatenate(hashes),
        starts=np.concatenate(starts).astype(np.int32),
        items=np.concatenate(items).astype(np.int32),
        sets=np.concatenate(sets).astype(np.int32),
        set_starts=np.searchsorted(np.concatenate(places), np.arange(total + 1)),
        repaired=repaired,
    )


def search(texts: pa.Array, index: Index, config: DecontaminateConfig) -> list[Hit]:
    """The documents that are contaminated, in order.

    Args:
        texts: Strings.
        index: What `build_index` made of the same configuration.
        config: Says how much overlap counts.
    """
    data, offsets = lowered(documents_alike(texts, index.repaired))
    matches, num_words = find_ngrams(
        data, offsets, character_classes(), index.lists, index.hashes, index.starts
    )
    matches = matches[:, np.lexsort((matches[2], matches[1], matches[0]))]
    bounds = np.flatnonzero(np.diff(matches[0], prepend=-1))
    hits = []
    for part in np.split(matches, bounds[1:], axis=1) if len(bounds) else []:
        row = int(part[0, 0])
        num_ngrams = len(np.unique(part[1]))
        share = num_ngrams / max(1, int(num_words[row]) - config.ngram + 1)
        if num_ngrams < config.min_ngrams or share < config.min_share:
            continue
        hits.append(_hit(row, part, num_ngrams, min(1.0, share), data, offsets, index))
    return hits


def _hit(
    row: int,
    part: I64,
    num_ngrams: int,
    share: float,
    data: npt.NDArray[np.uint8],
    offsets: I64,
    index: Index,
) -> Hit:
    text = bytes(data[offsets[row] : offsets[row + 1]]).decode("utf-8", "replace")
    _, position, number, first = part[:, 0]
    places = np.unique(part[3])
    sets = {
        int(of)
        for place in places
        for of in index.sets[index.set_starts[place] : index.set_starts[place + 1]]
    }
    return Hit(
        row=row,
        item=int(index.items[first]),
        num_ngrams=num_ngrams,
        share=share,
        example=words_between(text, int(position), int(index.lists[number, 0]))[:EXAMPLE_CHARS],
        sets=tuple(sorted(sets)),
        hashes=np.unique(index.hashes[places]),
    )


def words_between(text: str, first: int, count: int) -> str:
    """The stretch of a text from word number `first` on that has `count` words, as `shingles` counts them."""
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32)
    classes = character_classes()
    kinds = np.where(codes < TABLE_SIZE, classes[np.minimum(codes, TABLE_SIZE - 1)], 0)
    inside = kinds == WORD
    begins = (kinds == LONE) | (inside & ~np.append(False, inside[:-1]))
    ends = (kinds == LONE) | (inside & ~np.append(inside[1:], False))
    start = np.flatnonzero(begins)[first]
    end = np.flatnonzero(ends)[first + count - 1]
    return text[start : end + 1]
