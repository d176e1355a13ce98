"""Message catalogues: pairs of messages and translations, compiled or as text; what is none says why."""

from __future__ import annotations

import gettext
import gzip
import io
import struct
import sysconfig
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conf.ingest import IngestConfig
from pipelines.errors import InputError
from pipelines.ingest.discover import discover
from pipelines.ingest.formats.catalogue_pairs import placeholders
from pipelines.ingest.read_file import read_file
from tests.ingest.catalogues import HEADER, compiled, written
from tests.ingest.support import Outcome, read_bytes

any_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)

# Without control characters, which are no part of any line but as escapes, and what marks contexts and forms.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
TEXTS = st.tuples(WORDS, st.text('\n\t"\\ aé文', max_size=6), WORDS).map("".join)
MESSAGES = st.dictionaries(st.tuples(st.none() | WORDS, TEXTS), TEXTS, min_size=1, max_size=5)


def read_as(folder: Path, name: str, content: bytes, **config: Any) -> Outcome:
    return read_bytes(folder, name, content, format="catalogues", **config)


def both(folder: Path, *entries: tuple[str, str], header: str | None = HEADER) -> list[Outcome]:
    """The same catalogue compiled in both byte orders, compressed, and as text."""
    one = compiled(entries, header)
    files = {"a.mo": one, "b.mo": compiled(entries, header, ">"), "c.mo.gz": gzip.compress(one)}
    files["d.po"] = written(entries, header).encode()
    return [read_as(folder, name, content) for name, content in files.items()]


@any_folder
@given(MESSAGES)
@example({(None, "a\\n"): 'b"', ("menu", "a\n\n"): "b\t"})
def test_every_form_gives_the_same_pairs(tmp_path: Path, messages: dict[tuple[str | None, str], str]) -> None:
    entries = [(f"{c}\x04{m}" if c else m, t) for (c, m), t in messages.items()]
    expected = [
        (message, target, {"language": "zh_CN"} | ({"context": context} if context else {}))
        for (context, message), target in messages.items()
        if message != target and placeholders(message) == placeholders(target)
    ]
    for found in both(tmp_path, *entries):
        assert [(d.text, d.target, dict(d.metadata)) for d in found.documents] == expected
        assert {d.kind for d in found.documents} <= {"pair"}
        assert not found.quarantined
        assert sum(found.summary.skipped.values()) == len(messages) - len(expected) + 1


def test_a_compiled_catalogue_is_read_as_python_reads_it(tmp_path: Path) -> None:
    entries = [("File", "文件"), ("menu\x04Open", "打开"), ("%d day\0%d days", "%d 天")]
    content = compiled(entries, HEADER + "Plural-Forms: nplurals=1; plural=0;\n")
    known = gettext.GNUTranslations(io.BytesIO(content))
    found = read_as(tmp_path, "a.mo", content)
    assert [(d.text, d.target) for d in found.documents] == [
        ("File", known.gettext("File")),
        ("Open", known.pgettext("menu", "Open")),
        ("%d day", known.ngettext("%d day", "%d days", 1)),
        ("%d days", known.ngettext("%d day", "%d days", 5)),
    ]
    assert len({d.offset for d in found.documents}) == 3


@pytest.mark.parametrize(
    ("message", "translation", "pairs"),
    [
        ("1 file\0%d files", "%d 个文件", [("%d files", "%d 个文件")]),
        (
            "%d file\0%d files",
            "%d fichier\0%d fichiers",
            [("%d file", "%d fichier"), ("%d files", "%d fichiers")],
        ),
        ("%d fish\0%d fish", "%d Fisch\0%d Fische", [("%d fish", "%d Fische")]),
        ("day\0days", "\0天", [("days", "天")]),
        ("{0} of %(n)s", "%(n)s 的 {0}", [("{0} of %(n)s", "%(n)s 的 {0}")]),
        ("100% of %s", "%s 的 100%", [("100% of %s", "%s 的 100%")]),
        ("100%% sure", "百分之百", [("100%% sure", "百分之百")]),
        ("Hi {name}", "你好", []),
        ("%1$d of %2$d", "%2$d 的 %s", []),
        ("Same", "Same", []),
        ("Empty", "", []),
        ("Blank", " \u200b", []),
    ],
)
def test_plurals_and_placeholders(
    tmp_path: Path, message: str, translation: str, pairs: list[tuple[str, str]]
) -> None:
    for found in both(tmp_path, (message, translation)):
        assert [(d.text, d.target) for d in found.documents] == pairs
        assert not found.quarantined


def test_what_is_no_pair_is_counted_by_what_it_is(tmp_path: Path) -> None:
    text = written([("Same", "Same"), ("%s", "x"), ("Yes", "是")])
    text += '\n#, fuzzy\n#| msgid "Old"\nmsgid "No"\nmsgstr "不"\n\n#, fuzzy\n#~ msgid "a"\n#~ msgstr "b"\n'
    text += "\n# the end\n"
    found = read_as(tmp_path, "a.po", text.encode())
    counts = {"header": 1, "untranslated": 1, "placeholders differ": 1, "fuzzy": 1, "obsolete": 1}
    assert found.summary.skipped == counts
    assert found.texts == ["Yes"]


def test_the_header_says_the_charset(tmp_path: Path) -> None:
    header = HEADER.replace("UTF-8", "GBK")
    entries = [("File", "文件"), ("Win", "胜\\")]
    binary = compiled(entries, header, charset="gbk")
    text = written(entries, header).encode("gbk")
    for name, content in (("a.mo", binary), ("a.po", text)):
        found = read_as(tmp_path, name, content)
        assert [(d.text, d.target) for d in found.documents] == entries
    wrong = HEADER.replace("UTF-8", "ASCII")
    found = read_as(tmp_path, "a.mo", compiled([("File", "文件"), ("Yes", "Ja")], wrong))
    assert found.reasons == [("row", "bad_encoding")]
    assert found.texts == ["Yes"]
    template = HEADER.replace("UTF-8", "CHARSET")
    assert read_as(tmp_path, "a.po", written(entries, template).encode()).texts == ["File", "Win"]
    for charset in ("unicode_escape", "zlib", "idna", "UTF-16", "x" * 40):
        bad = compiled(entries, HEADER.replace("UTF-8", charset))
        assert read_as(tmp_path, "a.mo", bad).reasons == [("file", "bad_encoding")]


def test_the_place_of_an_entry_in_text(tmp_path: Path) -> None:
    content = "\ufeff" + written([("One", "一")]) + '\n# a comment\nmsgid "Two"\nmsgstr "二"\n'
    raw = content.replace("\n", "\r\n").encode()
    found = read_as(tmp_path, "a.po", raw)
    assert found.texts == ["One", "Two"]
    assert raw[found.documents[1].offset :].startswith(b"# a comment")


@pytest.mark.parametrize(
    "entry",
    [
        'msgid "a" "b"\nmsgstr "c"',
        'msgid "a\nmsgstr "c"',
        'msgid "a"b"\nmsgstr "c"',
        'msgid "a\\q"\nmsgstr "c"',
        'msgid "a\\xe9"\nmsgstr "c"',
        'msgid "a\\"\nmsgstr "c"',
        'msgid "a"',
        'msgid "a"\nmsgstr[0] "c"',
        'msgid "a"\nmsgid_plural "b"\nmsgstr "c"',
        'msgid "a"\nmsgid_plural "b"\nmsgstr[1] "c"',
        'msgid "a"\nmsgid_plural "b"\nmsgstr[0] "c"\nmsgstr[2] "c"',
        'msgid[0] "a"\nmsgstr "c"',
        'msgid "a"\nmsgstr "c"\nmsgstr "d"',
        'msgstr "c"',
        '"c"',
        "hello",
    ],
)
def test_an_entry_that_cannot_be_read_costs_itself(tmp_path: Path, entry: str) -> None:
    text = written([("One", "一")]) + f"\n{entry}\n\n" + written([("Two", "二")], None)
    found = read_as(tmp_path, "a.po", text.encode())
    assert found.reasons == [("row", "bad_catalogue")]
    assert found.texts == ["One", "Two"]
    assert found.quarantined[0].fault.line is not None


def test_an_entry_without_its_translation_costs_no_other(tmp_path: Path) -> None:
    found = read_as(tmp_path, "a.po", b'msgid "a"\nmsgid "b"\n# a comment\nmsgstr "c"')
    assert (found.texts, found.reasons) == (["b"], [("row", "bad_catalogue")])


def test_wrong_bytes_cost_their_entry(tmp_path: Path) -> None:
    text = written([("One", "一"), ("Two", "X"), ("Three", "三")]).encode().replace(b"X", b"\xff")
    found = read_as(tmp_path, "a.po", text)
    assert (found.texts, found.reasons) == (["One", "Three"], [("row", "not_utf8")])


def changed(raw: bytes, place: int, value: int) -> bytes:
    return raw[:place] + struct.pack("<I", value) + raw[place + 4 :]


@pytest.mark.parametrize("place", range(0, 28 + 32, 4))
@pytest.mark.parametrize("value", [0, 1, 2**31, 2**32 - 1])
def test_any_number_of_a_compiled_catalogue_may_be_wrong(tmp_path: Path, place: int, value: int) -> None:
    found = read_as(tmp_path, "a.mo", changed(compiled([("a", "b")]), place, value))
    assert {reason for _, reason in found.reasons} <= {"bad_catalogue", "empty", "bad_encoding", "not_utf8"}


@any_folder
@given(st.integers(0, 200))
def test_a_cut_catalogue_is_no_catalogue(tmp_path: Path, length: int) -> None:
    whole = compiled([("a", "b"), ("c", "d")])
    cut = whole[: min(length, len(whole) - 2)]
    assert read_as(tmp_path, "a.mo", cut).reasons == [("file", "bad_catalogue")]


def test_strings_that_share_their_bytes_are_no_bomb(tmp_path: Path) -> None:
    count, text = 1000, b"x" * 100_000
    head = struct.pack("<7I", 0x950412DE, 0, count, 28, 28, 0, 0)
    table = struct.pack("<2I", len(text), 28 + 8 * count) * count
    found = read_as(tmp_path, "a.mo", head + table + text)
    assert found.reasons == [("file", "bad_catalogue")]
    assert "together" in found.quarantined[0].fault.detail


@any_folder
@given(st.binary(max_size=60), st.sampled_from(["a.mo", "a.po"]))
def test_any_bytes_end_no_stage(tmp_path: Path, content: bytes, name: str) -> None:
    found = read_as(tmp_path, name, b"\xde\x12\x04\x95" + content if name == "a.mo" else content)
    assert "reader_failed" not in {reason for _, reason in found.reasons}


@pytest.mark.parametrize("name", ["a.mo", "a.po"])
@pytest.mark.parametrize("shape", [lambda n: [("m" * n, "t" * n)], lambda n: [("%d{" * (n // 3), "%" * n)]])
def test_large_catalogues_take_linear_time(tmp_path: Path, name: str, shape: Any) -> None:
    seconds = []
    for size in (500_000, 4_000_000):
        content = compiled(shape(size)) if name == "a.mo" else written(shape(size)).encode()
        began = time.process_time()
        read_as(tmp_path, name, content, max_source_bytes=2**25, max_document_bytes=2**25)
        seconds.append(time.process_time() - began)
    assert seconds[1] < max(30 * seconds[0], 1)


def test_limits(tmp_path: Path) -> None:
    content = compiled([("a" * 99, "b"), ("menu" * 9 + "\x04a", "b"), ("c", "d")])
    found = read_as(tmp_path, "a.mo", content, max_document_bytes=20)
    assert (found.texts, found.reasons) == (["c"], [("row", "too_large")] * 2)
    assert read_as(tmp_path, "a.mo", content, max_source_bytes=99).reasons == [("file", "too_large")]


def test_without_inputs_the_catalogues_of_packages_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = compiled([("Yes", "是")])
    for place in ("one/locale/zh_CN/LC_MESSAGES/one.mo", "two/locale/zh_Hans/LC_MESSAGES/two.po"):
        path = tmp_path / place
        path.parent.mkdir(parents=True)
        path.write_bytes(content if place.endswith(".mo") else written([("No", "不")]).encode())
        path.with_suffix(".po").write_text(written([("No", "不")]), "utf-8")
    (tmp_path / "one/locale/de/LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "one/locale/de/LC_MESSAGES/one.mo").write_bytes(content)
    paths = {"purelib": str(tmp_path), "platlib": str(tmp_path)}
    monkeypatch.setattr(sysconfig, "get_paths", lambda: paths)
    config = IngestConfig(format="catalogues")
    files = discover(config)
    names = ["site-packages/one/locale/zh_CN/LC_MESSAGES/one.mo"]
    names.append("site-packages/two/locale/zh_Hans/LC_MESSAGES/two.po")
    assert [file.source for file in files] == names
    assert [file.format for file in files] == ["mo", "po"]
    texts = [row.text for file in files for row in read_file(file, config) if hasattr(row, "text")]
    assert texts == ["Yes", "No"]
    with pytest.raises(InputError, match=r"no installed package.*'ringlake\[catalogues\]'"):
        discover(IngestConfig(format="catalogues", catalogue_languages=("fr",)))


def test_of_a_folder_only_catalogues_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.mo").write_bytes(compiled([("Yes", "是")]))
    (tmp_path / "a.py").write_text("print()")
    found = discover(IngestConfig(inputs=(str(tmp_path),), format="catalogues"))
    assert [file.source for file in found] == ["a.mo"]
