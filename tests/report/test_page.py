"""The page of a whole lake: safe to open, and its numbers are those of the tables."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from pipelines.lake import Lake
from tests.report import lakes
from tests.report.page import Page


def test_it_runs_no_script_and_loads_nothing(page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "base", "form", "image", "foreignobject"}
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if "href" in name or name in ("src", "srcset", "action", "data"):
                assert value.startswith(("#", "data:")), (tag, name, value)


def test_the_style_sheet_loads_nothing(source: str) -> None:
    styles = "".join(re.findall(r"<style>(.*?)</style>", source, re.DOTALL))
    assert styles
    assert not re.search(r"url\(|@import|src:", styles)
    assert not re.search(r"url\((?!#)", source)


def test_its_policy_allows_styles_and_inline_images_only(page: Page) -> None:
    policies = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv")]
    assert policies == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    ]


def test_hostile_text_is_shown_as_text(source: str, page: Page) -> None:
    assert "<script" not in source
    assert "<img" not in source
    shown = (
        "<script>alert('owned')</script>\"><img src=x onerror=alert(1)> {{ 7*7 }} "
        "U+202EevilU+202C U+200BU+001B[31mU+0000 &amp;"
    )
    for section in ("quarantine", "rejected", "samples"):
        assert shown in page.by_id[section], section
    for section in ("rejected", "languages"):
        assert lakes.SCRIPT in page.by_id[section], section


def test_no_character_that_hides_is_left(source: str) -> None:
    hidden = {char for char in source if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co")}
    assert hidden == {"\n"}


def test_the_tiles_equal_the_tables(page: Page) -> None:
    assert page.by_id["tile-in"] == "40"
    assert page.by_id["tile-kept"] == "20"
    assert page.by_id["tile-tokens"] == "60"
    assert page.by_id["tile-bpb"] == "2.125"
    assert "15.0% below bigram" in page.text
    # Eight stages of 10 + their minute (0 to 7) seconds.
    assert page.by_id["tile-time"] == "1 min 48 s"


def test_the_funnel_says_what_left_at_each_step(page: Page) -> None:
    way = page.by_id["way"]
    assert "213 quarantined (84.2% of the step before)" in way
    rejected = sum(row["num_bytes"] for row in lakes.documents()[:12])
    assert f"12 rejected, {rejected / 1000:.2f} kB (30.0% of the step before)" in way
    assert re.search(r"8 duplicates, [\d.]+ kB \(28\.6% of the step before\)", way)
    assert "Train: 9 sequences of 8, 72 tokens." in way
    assert "in the place of personal data: email 28." in way


def test_every_quarantined_file_is_named_and_what_is_left_out_is_said(page: Page) -> None:
    text = page.by_id["quarantine"]
    for name in lakes.QUARANTINED_FILES:
        assert name in text
    assert "The first 200 of 213, whole files first" in text
    assert "This page lists 200 rows; all 213 are shown by" in text
    assert "ringlake show 'the lake' quarantine --limit 0" in text


def test_rules_come_with_count_limit_values_and_examples(source: str, page: Page) -> None:
    rejected = page.by_id["rejected"]
    assert "turned away 12 of 40 documents (30.0%)" in rejected
    # Eight documents measured 0 to 7 against at least 10, four 108 to 111 against at most 99.
    assert re.search(r"too\.short <script>.*?8\s*20\.0%\s*≥ 10\s*0\s*1\s*3\s*5\s*7", _flat(rejected))
    assert re.search(r"too\.long\s*4\s*10\.0%\s*≤ 99\s*108\s*108\s*109\s*110\s*111", _flat(rejected))
    # Number 0 and 1 have the same text, which is shown once; three examples a rule.
    for number, shown in ((0, True), (1, False), (2, True), (3, True), (4, False), (8, True), (11, False)):
        assert (f"{number:032x}" in rejected) == shown, number


def test_the_cluster_shows_its_survivor_and_the_least_similar_removed(page: Page) -> None:
    text = page.by_id["duplicates"]
    assert "8 of 28 documents (28.6%) were removed, because 1 others" in text
    cluster = text[text.index("Largest clusters") :]
    assert "9 documents" in cluster
    assert f"{20:032x}" in cluster
    # The odd ones are near duplicates, 0.81 to 0.87; then the first exact one.
    for number in (13, 15, 17, 19, 12):
        assert f"{number:032x}" in cluster, number
    assert f"{14:032x}" not in cluster
    assert "similarity 0.810" in cluster
    where = f"kept_doc_id = '{20:032x}'"
    assert f"ringlake show 'the lake' duplicates --limit 0 --where \"{where}\"" in cluster


def test_the_accounts_have_every_stage(page: Page) -> None:
    accounts = _flat(page.by_id["accounts"])
    assert re.search(r"ingest 253 40 0 213 0 documents 10\.0 s", accounts)
    assert re.search(r"clean 40 28 12 0 0 documents 11\.0 s", accounts)
    assert re.search(r"dedup 28 20 0 0 8 documents 12\.0 s", accounts)
    assert "out of date" not in accounts


def test_training_evaluation_and_charts_are_there(source: str, page: Page) -> None:
    assert "12,345" in page.by_id["training"]
    assert re.search(r"model 2\.125 6\.250 518", _flat(page.by_id["evaluation"]))
    charts = [svg["aria-label"] for svg in page.all("svg") if svg.get("role") == "img"]
    # Seven charts, each for a wide and a narrow column.
    assert len(charts) == 14
    loss = "ends at 6.00 nats a token; validation loss ends at 6.50; unigram baseline at 8.50"
    assert any(loss in chart for chart in charts)


def test_what_ranks_exchanged_is_summed_over_the_training(page: Page) -> None:
    # 30 steps of 4,000 bytes and 2, 4, ... 60 more.
    assert "together sent 121 kB for the updates" in page.by_id["bytes"]
    assert "would have sent 60.0 kB for the same steps" in page.by_id["bytes"]
    assert _flat(page.by_id["staleness"]) == (
        "updates not seen, mean 1.00 updates not seen, most 3 "
        "steps ahead of the slowest, most 2 of 2 allowed ranks alive at the end 1 of 2"
    )


def test_every_table_has_a_caption_and_every_heading_its_level(source: str, page: Page) -> None:
    assert source.count("<table") == source.count("<caption") > 5
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_links_lead_to_sections(page: Page) -> None:
    targets = [a["href"][1:] for a in page.all("a")]
    assert len(targets) > 10
    assert set(targets) <= set(page.by_id)


def test_the_command_makes_the_lake_again(page: Page) -> None:
    again = page.by_id["again"]
    assert "ringlake run 'my run.yaml' --set 'lake=the lake'" in again
    assert "inputs:\n  - a.jsonl" in again


def test_nothing_temporary_is_left(whole_lake: Lake) -> None:
    assert [name for name in whole_lake.root.names() if name.startswith(".report")] == []


def _flat(text: str) -> str:
    return " ".join(text.split())
