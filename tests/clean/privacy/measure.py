"""Precision and recall of the detectors on the texts of this folder.

python -m tests.clean.privacy.measure
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conf.clean import PrivacyConfig
from pipelines.clean.privacy.redactor import Redactor
from pipelines.text.personal_data import KINDS, PLACEHOLDERS

TEXTS = Path(__file__).with_name("texts.txt")
CONFIG = PrivacyConfig(
    phone_regions=("US", "GB", "DE", "FR", "CN"), national_ids=("us.ssn", "es.nif", "cn.ric", "gb.nhs")
)

_CHARACTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF" * 9
_ESCAPE = re.compile(r"\\(n|\\|u[0-9a-f]{4})|\{(\d+)\}")
_MARKED = re.compile("⟦(.*?)⟧", re.DOTALL)


@dataclass(frozen=True)
class Case:
    """A text of the table.

    Attributes:
        kind: What is looked for in it.
        text: The text.
        redacted: What is left of it, with placeholders.
        num_marked: How much of it must go.
    """

    kind: str
    text: str
    redacted: str
    num_marked: int


def cases() -> Iterator[Case]:
    """The texts of the table."""
    kind = ""
    for line in TEXTS.read_text(encoding="utf-8").split("\n"):
        if line.startswith("[") and line[1:-1] in KINDS:
            kind = line[1:-1]
        elif line and not line.startswith("#"):
            marked = _ESCAPE.sub(_character, line)
            text, redacted = _MARKED.sub(r"\1", marked), _MARKED.sub(PLACEHOLDERS[kind], marked)
            yield Case(kind, text, redacted, len(_MARKED.findall(marked)))


def _character(match: re.Match[str]) -> str:
    if match[2]:
        return _CHARACTERS[: int(match[2])]
    return {"n": "\n", "\\": "\\"}.get(match[1]) or chr(int(match[1][1:], 16))


def main() -> int:
    """Prints a row a kind."""
    redactor = Redactor(CONFIG)
    rows = {kind: [0, 0, 0, 0] for kind in KINDS}
    for case in cases():
        row, found = rows[case.kind], redactor.redact(case.text)
        right = case.num_marked if found.text == case.redacted else 0
        row[0] += 1
        row[1] += right
        row[2] += case.num_marked
        row[3] += sum(found.counts.values())
        if found.text != case.redacted:
            sys.stderr.write(f"{case.kind}: {case.text!r} became {found.text!r}\n")
    sys.stdout.write("kind         texts  must go  found  right  precision  recall\n")
    for kind, (texts, right, marked, removed) in rows.items():
        precision, recall = right / max(1, removed), right / max(1, marked)
        sys.stdout.write(
            f"{kind:12} {texts:5} {marked:8} {removed:6} {right:6} {precision:10.3f} {recall:7.3f}\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
