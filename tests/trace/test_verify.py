"""`ringlake verify`: an undisturbed, resumed training holds; each thing that is changed is told plainly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from pipelines.errors import InputError, VerificationError
from pipelines.trace.certificate import check_certificate, digest_of, read_certificate
from pipelines.trace.verify import verify_model
from tests.support.cli import ringlake
from tests.trace.asked import ask
from tests.trace.conftest import RESUMED_FROM, STEPS, Traced

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def certificate(traced: Traced, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificate") / "certificate.json"
    done = ask("verify", traced.lake / "model", "--out", path, "--json")
    assert done.json == json.loads(path.read_text())
    return path


@pytest.fixture
def lake(traced: Traced, tmp_path: Path) -> Path:
    shutil.copytree(traced.lake, tmp_path / "lake")
    return tmp_path / "lake"


def failed(found: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["detail"] for check in found["checks"] if not check["passed"]}


def test_a_training_that_went_on_with_other_ranks_is_certified(traced: Traced, certificate: Path) -> None:
    found = read_certificate(str(certificate))
    assert (found["verdict"], failed(found)) == ("exact", {})
    attempts = found["training"]["attempts"]
    assert [(each["num_ranks"], each["resumed_from"]) for each in attempts] == [(2, 0), (1, RESUMED_FROM)]
    path = traced.lake / "checkpoints" / traced.second / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert found["batches"]["ids_hashes"] == [line["ids_hash"] for line in lines]
    assert found["batches"]["steps"] == STEPS
    assert {check["name"] for check in found["checks"]} >= {
        "weights",
        "tokens",
        "checkpoints",
        "log",
        "ledger",
    }
    # It is made to be given away.
    assert str(traced.lake) not in certificate.read_text()


def test_a_third_party_checks_it_without_the_lake(traced: Traced, certificate: Path, tmp_path: Path) -> None:
    shutil.copytree(traced.lake / "model", tmp_path / "model")
    done = ask("verify", tmp_path / "model", "--certificate", certificate)
    assert "verdict: exact" in done.shown
    with (tmp_path / "model" / "model.safetensors").open("ab") as weights:
        weights.write(b"\0")
    done = ask("verify", tmp_path / "model", "--certificate", certificate)
    assert isinstance(done.error, VerificationError)
    assert "model.safetensors" in str(done.error)


def test_a_changed_certificate_is_no_longer_one(certificate: Path) -> None:
    found = read_certificate(str(certificate))
    other = json.loads(json.dumps(found))
    other["batches"]["ids_hashes"][4] = "0000000000"
    assert set(failed(check_certificate(other, None))) == {"digest", "batches"}
    # Somebody who makes the digest anew cannot make the plan give other batches.
    other["digest"] = digest_of(other)
    assert set(failed(check_certificate(other, None))) == {"batches"}
    other = json.loads(json.dumps(found))
    other["plan"]["seed"] = 2
    other["digest"] = digest_of(other)
    assert set(failed(check_certificate(other, None))) == {"batches", "chain"}


@pytest.mark.parametrize("content", ["", "[]", '{"format": "ringlake-certificate/1"}', "{" * 10**5])
def test_what_is_no_certificate_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "file").write_text(content)
    with pytest.raises(InputError):
        read_certificate(str(tmp_path / "file"))


def _lines(lake: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    (path,) = lake.glob("checkpoints/*/metrics.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_tampered_log_fails_with_its_step(lake: Path) -> None:
    _lines(lake, lambda lines: lines[6].update(ids_hash="0123456789"))
    done = ringlake("verify", lake, code=7)
    assert "ids_hash of steps 7 is not the plan's: '0123456789' in step 7" in done.stderr
    assert "FAILED  batches" in done.stdout


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (lambda lines: lines.pop(9), "log", "steps 10 are missing"),
        (lambda lines: lines.append(lines[3]), "log", "steps 4 are there twice"),
        (lambda lines: lines[5].update(sequences=63), "sequences", "steps 6"),
        (lambda lines: lines[5].update(tokens=1), "tokens", "steps 6"),
    ],
)
def test_missing_doubled_and_changed_steps_are_told(
    lake: Path, change: Callable[[list[dict[str, Any]]], None], name: str, message: str
) -> None:
    _lines(lake, change)
    found = verify_model(str(lake))
    assert found["verdict"] == "differs"
    assert list(failed(found)) == [name]
    assert message in failed(found)[name]


def test_changed_tables_checkpoints_and_weights_are_told(lake: Path) -> None:
    (state,) = lake.glob(f"checkpoints/*/step-{RESUMED_FROM:09d}/state.json")
    state.write_text(state.read_text().replace('"sequences": ', '"sequences": 1'))
    model = lake / "model" / "model.safetensors"
    weights = load_file(model)
    name = sorted(weights)[0]
    save_file({**weights, name: weights[name] * 2}, model, {"format": "pt"})
    for file in (lake / "tables" / "sequences" / "split=train").glob("*.parquet"):
        file.unlink()
        break
    found = failed(verify_model(str(lake)))
    assert set(found) == {"model files", "checkpoints", "weights", "sequences version 0"}
    assert f"that of step {RESUMED_FROM} is damaged" in found["checkpoints"]
    assert name in found["weights"]


def test_a_model_without_its_lake_or_log_is_told(lake: Path, tmp_path: Path) -> None:
    shutil.copytree(lake / "model", tmp_path / "alone")
    assert "--lake" in str(ask("verify", tmp_path / "alone").error)
    assert verify_model(str(tmp_path / "alone"), str(lake))["verdict"] == "exact"
    shutil.rmtree(lake / "checkpoints")
    with pytest.raises(InputError, match="gone or damaged"):
        verify_model(str(lake))
