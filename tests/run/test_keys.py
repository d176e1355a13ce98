"""A stage is skipped exactly when nothing it depends on changed."""

from conf import load
from pipelines.run.keys import config_json, digest, run_key
from pipelines.run.version import code_version
from ringlake.base.code import release


def _key(**changes: object) -> str:
    values: dict[str, object] = {
        "stage": "clean",
        "config": config_json({"clean": load().clean}),
        "inputs": {"documents": 3},
        "fingerprint": "",
        "code": "1",
        "libraries": {"ftfy": "1"},
    }
    return run_key(**(values | changes))  # type: ignore[arg-type]


def test_equal_inputs_give_equal_keys() -> None:
    assert _key() == _key()
    assert _key(inputs={"a": 1, "b": 2}) == _key(inputs={"b": 2, "a": 1})


def test_every_part_changes_the_key() -> None:
    other = config_json({"clean": load(overrides=["clean.profile=none"]).clean})
    keys = [
        _key(),
        _key(stage="dedup"),
        _key(config=other),
        _key(inputs={"documents": 4}),
        _key(inputs={}),
        _key(fingerprint="x"),
        _key(code="2"),
        _key(libraries={"ftfy": "2"}),
        _key(libraries={}),
    ]
    assert len(set(keys)) == len(keys)


def test_another_sections_key_does_not_change_a_stage() -> None:
    assert config_json({"clean": load(overrides=["train.steps=7"]).clean}) == config_json(
        {"clean": load().clean}
    )


def test_digest_tells_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_code_version_names_release_and_sources() -> None:
    assert code_version().startswith(f"{release()}+src.")
