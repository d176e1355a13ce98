"""A stage runs again for a change of code that decides its result, and for no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.run.stage_code import files_of, stage_code
from pipelines.sources import closure, source_digest
from pipelines.stages import STAGES
from ringlake.base.code import code_files

ROOT = Path(__file__).resolve().parents[2]
BY_NAME = {stage.name: stage for stage in STAGES}

TREE = {
    "pipelines/__init__.py": b"from pipelines.unused import x",
    "pipelines/unused.py": b"",
    "pipelines/a/__init__.py": b"from pipelines.a.other import y",
    "pipelines/a/other.py": b"",
    "pipelines/a/stage.py": b"""
import json
import training.direct
from typing import TYPE_CHECKING
from . import near
from ..up import thing
from pipelines.named import (
    one,
)
from conf.ingest import IngestConfig
if TYPE_CHECKING:
    import pipelines.only_types
else:
    import pipelines.at_run_time
def later():
    from pipelines.inside import z
""",
    "pipelines/a/near.py": b"from pipelines.a import stage",
    "pipelines/up.py": b"",
    "pipelines/named/__init__.py": b"",
    "pipelines/named/one.py": b"",
    "pipelines/only_types.py": b"",
    "pipelines/at_run_time.py": b"",
    "pipelines/inside.py": b"",
    "training/__init__.py": b"",
    "training/direct.py": b"",
    "conf/__init__.py": b"",
    "conf/data.py": b"",
}


def test_the_closure_follows_imports_and_nothing_else() -> None:
    found = closure(["pipelines.a.stage"], TREE.get)
    assert found == {
        "pipelines/__init__.py",
        "pipelines/a/__init__.py",
        # `near` imports from the package itself, whose imports count then.
        "pipelines/a/other.py",
        "pipelines/a/stage.py",
        "pipelines/a/near.py",
        "pipelines/up.py",
        "pipelines/named/__init__.py",
        "pipelines/named/one.py",
        "pipelines/at_run_time.py",
        "pipelines/inside.py",
        "training/__init__.py",
        "training/direct.py",
    }
    # What merely lies around it is not followed.
    assert "pipelines/unused.py" not in found
    with pytest.raises(LookupError, match=r"pipelines\.none"):
        closure(["pipelines.none"], TREE.get)


def test_the_digest_is_of_names_and_contents() -> None:
    files = closure(["pipelines.a.stage"], TREE.get)
    one = source_digest(files, TREE.get)
    assert one == source_digest(files, dict(TREE).get)
    assert one == source_digest(files, (TREE | {"pipelines/unused.py": b"x = 1"}).get)
    assert one != source_digest(files, (TREE | {"pipelines/up.py": b"x = 1"}).get)


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("pipelines/report/template.html.jinja", {"report"}),
        ("pipelines/report/style.css", {"report"}),
        ("pipelines/report/charts.py", {"report"}),
        ("pipelines/card/build.py", {"card"}),
        ("pipelines/ingest/formats/read_csv.py", {"ingest"}),
        ("pipelines/text/code_points.py", {"ingest", "clean", "dedup"}),
        ("pipelines/clean/privacy/iban.py", {"clean", "dedup"}),
        ("pipelines/repeats/units.py", {"repeats"}),
        ("pipelines/dedup/minhash.py", {"dedup"}),
        ("pipelines/tokenize/unigram.py", {"tokenize"}),
        ("pipelines/pack/order.py", {"pack"}),
        ("training/optim.py", {"train", "evaluate"}),
        ("training/generate.py", {"generate"}),
        ("pipelines/bindings/pack.py", {"pack"}),
        ("pipelines/bindings/history.py", {"dedup"}),
        ("pipelines/bindings/embeddings.py", {"features", "train"}),
        # What both say of stages follows from their declarations.
        ("pipelines/stages/pack.py", {"report", "card"}),
        ("pipelines/cli/main.py", set()),
        ("pipelines/run/engine.py", set()),
        ("conf/ingest.py", set()),
    ],
)
def test_a_file_counts_for_the_stages_that_use_it(file: str, stages: set[str]) -> None:
    assert (ROOT / file).is_file()
    found = {stage.name for stage in STAGES if file in files_of(stage)}
    assert stages <= found
    # Kernels are shared on purpose; a page, a reader and the command line are nobody else's.
    if not file.startswith(("pipelines/clean/", "pipelines/dedup/", "training/")):
        assert found == stages


@pytest.mark.parametrize(
    ("folder", "stage"),
    [(name, name) for name in ("ingest", "clean", "repeats", "dedup", "tokenize", "mix", "features", "pack")]
    + [("decontaminate", "dedup"), ("report", "report"), ("card", "card"), ("evaluate", "evaluate")],
)
def test_all_that_lies_in_the_folder_of_a_stage_counts_for_it(folder: str, stage: str) -> None:
    named = {name for name, _ in code_files("pipelines") if name.startswith(f"pipelines/{folder}/")}
    assert named
    # What explains one text on the command line makes no table, and the forms of a text are dedup's.
    others = {"pipelines/clean/explain.py", "pipelines/clean/forms.py"}
    assert named - files_of(BY_NAME[stage]) - others == set()


def test_the_code_of_a_stage_is_one_string_for_ledger_and_key() -> None:
    codes = {stage.name: stage_code(stage) for stage in STAGES}
    assert len(set(codes.values())) == len(codes)
    assert all("+src." in code for code in codes.values())


def test_machine_code_is_made_anew_where_a_constant_of_another_file_changed(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "kernels.py").write_text(
        "from mine.bits import BIT\nfrom pipelines.jit import kernel\n"
        "@kernel\ndef shifted(x):\n    return x + BIT\n"
    )
    program = (
        "import pipelines.sources\npipelines.sources.PACKAGES = ('mine',)\n"
        "import mine.kernels as k\nprint(k.shifted(1), sum(k.shifted.stats.cache_hits.values()))"
    )
    told = []
    for bit in (4, 4, 8):
        (package / "bits.py").write_text(f"BIT = {bit}\n")
        done = subprocess.run(
            [sys.executable, "-B", "-c", program],
            env=os.environ
            | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        told.append(done.stdout.strip())
    assert told == ["5 0", "5 1", "9 0"]
