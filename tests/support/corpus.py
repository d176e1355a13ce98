"""A small real corpus for tests: docstrings of the standard library, with planted duplicates and faults."""

from __future__ import annotations

import ast
import json
import random
import sysconfig
from pathlib import Path

MODULES = [
    "argparse.py",
    "asyncio/events.py",
    "calendar.py",
    "collections/__init__.py",
    "configparser.py",
    "csv.py",
    "datetime.py",
    "decimal.py",
    "difflib.py",
    "email/message.py",
    "fractions.py",
    "functools.py",
    "gettext.py",
    "heapq.py",
    "http/client.py",
    "imaplib.py",
    "inspect.py",
    "ipaddress.py",
    "locale.py",
    "logging/__init__.py",
    "mailbox.py",
    "optparse.py",
    "os.py",
    "pathlib.py",
    "pdb.py",
    "random.py",
    "shutil.py",
    "smtplib.py",
    "socket.py",
    "statistics.py",
    "string.py",
    "subprocess.py",
    "tarfile.py",
    "tempfile.py",
    "textwrap.py",
    "threading.py",
    "tokenize.py",
    "turtle.py",
    "typing.py",
    "unittest/case.py",
    "urllib/request.py",
    "uuid.py",
    "zipfile.py",
]


def docstrings(minimum_words: int = 12) -> list[str]:
    """Distinct docstrings of some standard modules, in a fixed order."""
    found: dict[str, None] = {}
    for name in MODULES:
        path = Path(sysconfig.get_path("stdlib")) / name
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node)
                if text and len(text.split()) >= minimum_words:
                    found[text] = None
    return list(found)


def write_corpus(path: Path, num_documents: int | None = None) -> dict[str, list[str]]:
    """Writes a JSONL corpus and returns what was planted in it.

    Returns:
        ids by kind: 'unique', 'exact' (equal to another text), 'near' (a few words longer than a long
        text), 'faulty' (a line that is no document).
    """
    random_ = random.Random(1)
    texts = docstrings()[:num_documents]
    long_texts = [text for text in texts if len(text.split()) > 120]
    planted: dict[str, list[str]] = {"unique": [], "exact": [], "near": [], "faulty": []}
    lines = []
    for number, text in enumerate(texts):
        planted["unique"].append(f"u{number}")
        lines.append(json.dumps({"id": f"u{number}", "text": text}))
    for number, text in enumerate(random_.sample(texts, max(1, len(texts) // 20))):
        planted["exact"].append(f"e{number}")
        lines.append(json.dumps({"id": f"e{number}", "text": text}))
    for number, text in enumerate(long_texts[:20]):
        planted["near"].append(f"n{number}")
        lines.append(json.dumps({"id": f"n{number}", "text": text + "\nSee also the manual."}))
    planted["faulty"] = ["cut", "no text"]
    lines += ['{"id": "cut", "text": "a line that ends', '{"id": "no text"}']
    random_.shuffle(lines)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return planted
