"""YAML that ringlake writes reads back as the texts that were written, whatever is in them."""

from __future__ import annotations

from itertools import product

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ringlake.base.markdown import front_matter
from ringlake.base.trees import yaml_text

STRANGE = ["a", "\x85", "\u2028", "\u2029", "\r", "\n", " ", "\t", ":", "#", "'", '"', "\ufeff", "\x00", "\\"]


def test_texts_of_characters_that_yaml_treats_apart() -> None:
    texts = ["".join(chars) for count in (1, 2) for chars in product(STRANGE, repeat=count)]
    tree = {"list": texts, **{text: text for text in texts}}
    assert yaml.safe_load(yaml_text(tree)) == tree


@given(st.dictionaries(st.text(min_size=1), st.text() | st.lists(st.text())))
@example({"name": "a\x85b\u2028c"})
@example({"0": "\xa0"})
def test_the_top_of_a_readme_and_several_documents(tree: dict[str, object]) -> None:
    first, *lines, last = front_matter(tree)
    assert (first, last) == ("---", "---")
    assert yaml.safe_load("\n".join(lines)) == tree
    assert list(yaml.safe_load_all(yaml_text(tree, tree))) == [tree, tree]
