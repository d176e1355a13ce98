r"""Texts that are made to be slow: runs, nesting, and what makes a regular expression try again and again.

A family is a beginning, a piece that is repeated, and an end; the end is there because an expression that
fails behind a long run is the one that tries again. `\n` as a piece stands for all kinds of skew of lines.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice

Family = Callable[[int], str]
"""A text of about so many bytes of UTF-8."""


def repeated(piece: str, before: str = "", after: str = "") -> Family:
    """A piece over and over, between a beginning and an end."""

    def make(num_bytes: int) -> str:
        fixed = len((before + after).encode())
        return before + piece * max(1, (num_bytes - fixed) // len(piece.encode())) + after

    return make


def nested(opening: str, closing: str, core: str = "a") -> Family:
    """A piece in itself, as deep as the size allows."""

    def make(num_bytes: int) -> str:
        depth = max(1, num_bytes // (len(opening.encode()) + len(closing.encode())))
        return opening * depth + core + closing * depth

    return make


def numbered(form: str) -> Family:
    """A form with a running number: pieces that are all different."""

    def make(num_bytes: int) -> str:
        parts: list[str] = []
        size = number = 0
        while size < num_bytes:
            parts.append(form.format(number))
            size += len(parts[-1].encode())
            number += 1
        return "".join(parts)

    return make


def mixed(characters: str) -> Family:
    """Characters in turn."""

    def make(num_bytes: int) -> str:
        width = len(characters.encode()) / len(characters)
        return "".join(islice(cycle(characters), int(num_bytes / width)))

    return make


def mojibake(num_bytes: int) -> str:
    """A letter read with the wrong encoding again and again, as long as it stays within the size."""
    text = "é"
    while len(text.encode()) * 2 < num_bytes:
        text = text.encode().decode("latin-1")
    return (text + " ") * max(1, num_bytes // len((text + " ").encode()))


def mojibake_deep(num_bytes: int) -> str:
    """Eight times wrongly read, in short words."""
    text = "é"
    for _ in range(8):
        text = text.encode().decode("cp1252", "replace")
    return (text + "\n") * max(1, num_bytes // len((text + "\n").encode()))


def thue_morse(num_bytes: int) -> str:
    """Lines of 2,048 letters in the sequence of Thue and Morse: polynomial hashes of some collide."""
    order = 11
    sequence = "".join("ab"[number.bit_count() & 1] for number in range(2**order))
    other = sequence.translate(str.maketrans("ab", "ba"))
    lines = []
    for number in range(max(1, num_bytes // (2**order + 1))):
        head = f"{number:016b}".replace("0", "x").replace("1", "y")
        lines.append((sequence if number.bit_count() & 1 else other) + head)
    return "\n".join(lines)


_RANKS = "\u0301\u0323\u0334\u0345\u05b0\u0e38\u3099\u0f71\u0f72\u302a"
"""Combining marks of ten canonical classes, which normalisation has to sort."""

FAMILIES: dict[str, Family] = {
    # Unicode
    "marks of one class": repeated("\u0301", "e"),
    "marks of two classes": repeated("\u0301\u0323", "e"),
    "marks of ten classes": mixed(_RANKS),
    "marks that decompose": repeated("\u0f73\u0344\u0323", "e"),
    "marks behind every letter": repeated("e\u0301\u0323"),
    "marks after joined letters": repeated("\u0301" * 40 + "\u0323" * 40, "\u1ebf"),
    "Hangul jamo": mixed("\u1100\u1161\u11a8"),
    "Hangul vowels": repeated("\u1161"),
    "zero width": repeated("\u200b"),
    "zero width joiners": repeated("\u200d\U0001f468"),
    "byte order marks": repeated("\ufeff"),
    "right-to-left marks": mixed("\u202e\u202da\u200f"),
    "regional indicators": repeated("\U0001f1e9\U0001f1ea"),
    "alternating scripts": mixed("aжa中aあaกa"),
    "Chinese": mixed("中文字符很长没有空格的文本"),
    "one ideograph": repeated("中"),
    "Thai": mixed("ภาษาไทยไม่มีช่องว่าง"),
    "one Thai vowel": repeated("\u0e33"),
    "Khmer": mixed("ភាសាខ្មែរ"),
    "Burmese": mixed("မြန်မာဘာသာ"),
    "Japanese": mixed("日本語のテキストカタカナ"),
    "full width digits": mixed("０１２３４５６７８９"),
    "sharp s": repeated("ß"),
    "dotted capital i": repeated("İ"),
    "ligatures": repeated("ﷺ"),
    "private use": repeated("\U0010fffd"),
    "tags": repeated("\U000e0041"),
    # shapes
    "one letter": repeated("a"),
    "one capital": repeated("A"),
    "one space": repeated(" ", "a", "a"),
    "only spaces": repeated(" "),
    "no-break spaces": repeated("\u00a0", "a", "a"),
    "tabs": repeated("\t", "a", "a"),
    "line feeds": repeated("\n", "a", "a"),
    "only line feeds": repeated("\n"),
    "carriage returns": repeated("\r", "a", "a"),
    "line separators": repeated("\u2028", "a", "a"),
    "spaces and line feeds": repeated(" \n", "a", "a"),
    "spaces at line ends": repeated(" " * 200 + "\n" + "a"),
    "letters on lines": repeated("a\n"),
    "two line feeds": repeated("a\n\n"),
    "letters and spaces": repeated("a "),
    "two words": repeated("ab cd "),
    "different words": numbered("w{} "),
    "different lines": numbered("line {}\n"),
    "different long lines": numbered("x" * 100 + "{}\n"),
    "equal long lines": repeated("a b c d e f g h\n" * 4),
    "long words": repeated("a" * 10_000 + " "),
    "two letters in turn": repeated("ab"),
    "Thue-Morse lines": thue_morse,
    # marks
    "digits": repeated("1"),
    "digit groups": repeated("1 "),
    "digit groups with hyphens": repeated("1-"),
    "digits of four": repeated("1234 "),
    "card-like": repeated("4111 1111 1111 1112 "),
    "phone-like": repeated("+1 "),
    "phone groups": repeated("+49 30 1234567-"),
    "parentheses and digits": repeated("(0)1 "),
    "different digit groups": numbered("{:03d} "),
    "different numbers": numbered("{:09d} "),
    "different ids": numbered("{:03d}-45-A"),
    "dates": repeated("2001-01-01 "),
    "plus signs": repeated("+"),
    "dots": repeated("."),
    "dotted digits": repeated("1."),
    "addresses like IPv4": repeated("1.2.3.4."),
    "versions": repeated("version 1.2.3.4 "),
    "colons": repeated(":"),
    "hexadecimal colons": repeated("a:"),
    "double colons": repeated("::a"),
    "at-signs": repeated("@"),
    "letters and at-signs": repeated("a@"),
    "e-mail names": repeated("a.", "", "@"),
    "e-mail domains": repeated("a.", "x@"),
    "e-mail hyphens": repeated("-", "x@a"),
    "e-mails": repeated("a@b.cc "),
    "e-mails in a row": repeated("a@b.co"),
    "e-mail without end": repeated("a", "", "@"),
    "percent signs": repeated("%+"),
    "hyphens": repeated("-"),
    "PEM begins": repeated("-----BEGIN PRIVATE KEY-----\n"),
    "PEM without end": repeated("AAAA\n", "-----BEGIN RSA PRIVATE KEY-----\n"),
    "PEM words": repeated("-----BEGIN A B C D "),
    "underscores": repeated("_"),
    "tokens": repeated("sk-"),
    "AWS begins": repeated("AKIA"),
    "GitHub begins": repeated("ghp_"),
    "Slack begins": repeated("xoxb-1-"),
    "JWT begins": repeated("eyJ"),
    "JWT parts": repeated("eyJhbGciOiJIUzI1NiJ9."),
    "one long token": mixed("aB3xY9zQ"),
    "IBAN begins": repeated("DE89 "),
    "IBAN-like": repeated("DE89370400440532013001"),
    "IBAN groups": repeated("DE89 3704 0044 0532 0130 01 "),
    "id groups": repeated("A1-"),
    "id slashes": repeated("12/345/67890 "),
    "words before numbers": repeated("isbn "),
    "telephone words": repeated("tel. 1 "),
    "quotation marks": repeated('"'),
    "apostrophes": repeated("'"),
    "backslashes": repeated("\\"),
    "curly brackets": repeated("{"),
    "citations": repeated("[1"),
    "citations closed": repeated("[1]"),
    "citation words": repeated("[citation needed"),
    "sentence ends": repeated("a. "),
    "sentence ends without space": repeated("a.b"),
    "ellipses": repeated("... "),
    "abbreviations": repeated("U.S.A. Mr. "),
    "bullets": repeated("- a\n"),
    "menu bars": repeated("a | "),
    "menu lines": repeated("Home | News | Sport | " + "a" * 200 + "\n"),
    "copyright": repeated("© "),
    "copyright lines": repeated("copyright " + "©" * 100 + " 19\n"),
    "button words": repeated("share this on " + "a" * 100 + "\n"),
    "cookie lines": repeated("cookie " * 30 + "\n"),
    "spaces in lines": repeated("x" + " " * 280 + "x\n"),
    "stop words": repeated("the of and to "),
    "phrases": repeated("terms of "),
    "javascript": repeated("javascript "),
    # escapes
    "escapes": repeated("\x1b"),
    "terminal colours": repeated("\x1b[0m"),
    "open terminal escape": repeated("0;", "\x1b["),
    "open terminal escapes": repeated("\x1b[0;"),
    "terminal titles": repeated("\x1b]0;"),
    "controls": repeated("\x01"),
    "C1 controls": repeated("\x9b0"),
    "NULs": repeated("\x00"),
    "surrogate escapes": repeated("\\ud800"),
    "mojibake chain": mojibake,
    "deep mojibake": mojibake_deep,
    "mojibake letters": repeated("Ã"),
    "mojibake pairs": repeated("Ã©"),
    "mojibake quotes": repeated("â€œ"),
    "mojibake and spaces": repeated("Ã "),
    "mojibake beginnings": repeated("\nÃ"),
    "lossy sequences": repeated("â€�"),
    "a0 sequences": repeated("Ã\u00a0"),
    "Latin letters": repeated("éÂ"),
    "Cyrillic mojibake": repeated("РїСЂРё"),
    "entities": repeated("&amp;"),
    "open entities": repeated("&"),
    "numeric entities": repeated("&#x41;"),
    "long entity": repeated("9", "&#"),
    # markup
    "angle brackets": repeated("<"),
    "elements": nested("<div>", "</div>"),
    "inline elements": nested("<b>", "</b>"),
    "open elements": repeated("<div>"),
    "open paragraphs": repeated("<p>a"),
    "open anchors": repeated("<a>"),
    "misnested elements": repeated("<a><b><p></a></b>"),
    "table cells": repeated("<table><tr><td>"),
    "open comments": repeated("<!--"),
    "open CDATA": repeated("<![CDATA["),
    "attributes": repeated(' a="b"', "<div", ">text</div>"),
    "different attributes": numbered(" a{}=b"),
    "one long attribute": repeated("a", '<div class="', '">text</div>'),
    "meta elements": repeated("<meta "),
    "scripts": repeated("<script>"),
    "list items": repeated("<li>a b c d e f g h i"),
    "links": repeated('<a href="http://example.org/">a</a> '),
    "long paragraph": repeated("word ", "<html><body><article><p>", "</p></article></body></html>"),
    "many paragraphs": repeated("<p>" + "word " * 400 + "</p>"),
    "selects": repeated("<select><option>"),
    "formatting": repeated("<b><i><u><p>"),
    "foreign elements": repeated("<svg><math>"),
    # data
    "round brackets": nested("(", ")"),
    "square brackets": nested("[", "]"),
    "curly pairs": nested("{", "}"),
    "JSON objects": nested('{"a":', "}", "1"),
    "JSON text": repeated("\\n", '{"text": "', '"}'),
    "JSON escapes": repeated("\\u00e9", '{"text": "', '"}'),
    "JSON surrogates": repeated("\\ud800", '{"text": "', '"}'),
    "JSON open strings": repeated('{"text": "'),
    "JSON number": repeated("9", '{"text": "a", "n": ', "}"),
    "JSON fraction": repeated("9", '{"text": "a", "n": 0.', "}"),
    "JSON exponent": repeated("9", '{"text": "a", "n": 1e', "}"),
    "JSON list": repeated("[],", '{"text": "a", "n": [', "1]}"),
    "JSON keys": lambda size: '{"text": "a"' + numbered(', "k{}": 1')(size - 20) + "}",
    "JSON lines": repeated('{"text": "a"}\n'),
    "JSON spaces": repeated(" ", '{"text": "a"', "}"),
    "CSV commas": repeated(","),
    "CSV quotes": repeated('""', 'text\n"', '"\n'),
    "CSV open quotes": repeated('"a\n', "text\n"),
    "CSV closed quotes": repeated('"a",', "text\n"),
    "CSV bad quotes": repeated('a"\n', "text\n"),
    "CSV lines in quotes": repeated("\n", 'text\n"', '"\n'),
    "CSV rows": repeated("a\n", "text\n"),
    "long URL": repeated("a/", "http://example.org/"),
    "URL hosts": repeated("a.", "http://", "com/"),
    "URL users": repeated("a:b@", "http://", "example.org/"),
    "URL queries": repeated("utm_source=a&", "http://example.org/?"),
    "URL slashes": repeated("/", "http:"),
    "URL labels": repeated("é.", "http://"),
    "URLs": repeated("http://example.org/ "),
    "WARC versions": repeated("WARC/1.1\r\n"),
    "WARC header": repeated("a: b\r\n", "WARC/1.1\r\nWARC-Type: conversion\r\n"),
    "WARC folded header": repeated(" b\r\n", "WARC/1.1\r\nWARC-Type: conversion\r\na: b\r\n"),
    "WARC records": repeated("WARC/1.1\r\nWARC-Type: conversion\r\nContent-Length: 1\r\n\r\na\r\n\r\n"),
    "WARC wrong lengths": repeated("WARC/1.1\r\nWARC-Type: conversion\r\nContent-Length: 4000000\r\n\r\n"),
}
"""Every family by its name."""
