"""Run files and overrides: what is right is typed, what is wrong is named with its remedy."""

from pathlib import Path

import pytest

from conf import DEFAULT_RUN, ConfigError, load


def test_the_default_run_file_loads_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(DEFAULT_RUN)
    assert config.ingest.format == "python-docs"
    assert config.lake == "lake"


def test_overrides_are_typed_and_win(tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text("train: {steps: 5}\nlake: a\n")
    config = load(run, ["train.steps=7", "lake=b c", "ingest.inputs=[x, y]", "train.learning_rate=1e-3"])
    assert (config.train.steps, config.lake, config.ingest.inputs) == (7, "b c", ("x", "y"))
    assert config.train.learning_rate == 0.001


def test_dotted_names_of_spark_and_rules_stay_whole() -> None:
    config = load(None, ["spark.conf.spark.ui.enabled=true", "clean.thresholds.gopher.bullet_lines=0.5"])
    assert config.spark.conf == {"spark.ui.enabled": "true"}
    assert config.clean.thresholds == {"gopher.bullet_lines": 0.5}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trian.steps=1", ["unknown key 'trian'", "did you mean train?"]),
        ("train.stepz=1", ["unknown key 'train.stepz'", "did you mean train.steps?"]),
        ("train.steps=0", ["train.steps = 0", "greater than or equal to 1"]),
        ("train.steps=many", ["train.steps = 'many'", "integer"]),
        ("spark.driver_memory=lots", ["spark.driver_memory = 'lots'"]),
        ("lake", ["must look like section.key=value"]),
        ("=3", ["must look like section.key=value"]),
        ("lake.x=3", ["'lake'"]),
    ],
)
def test_a_wrong_override_names_key_and_remedy(override: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(DEFAULT_RUN, [override])
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["task.target_tokenizer=own"], "target_tokenizer = 'own' is for name = 'translation'"),
        (
            ["task.name=translation", "task.target_vocab_size=900"],
            "target_vocab_size = 900 .* target_tokenizer = 'shared'; set that to 'own'",
        ),
        (
            ["task.name=translation", "task.target_tokenizer=own", "task.target_end_token=x"],
            "target_end_token = 'x' .* that is 'own'; leave it out",
        ),
        (
            ["task.name=translation", "task.target_tokenizer=zh", "model.architecture=t5"],
            "^the defaults: task.target_tokenizer = 'zh' .* 't5' model has one .*architecture to marian$",
        ),
    ],
)
def test_a_tokenizer_of_the_targets_needs_pairs_and_a_model_of_two_vocabularies(
    overrides: list[str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        load(None, overrides)
    found = load(None, ["task.name=translation", "task.target_tokenizer=own", "model.architecture=marian"])
    assert found.task.adopted_target_tokenizer is None
    assert load(None, ["task.name=translation", "task.target_tokenizer=zh"]).task.has_target_tokenizer


def test_a_batch_is_given_in_sequences_or_in_tokens() -> None:
    assert load(None).train.sequences_per_step(128) == 32
    assert load(None, ["train.global_batch_size=12"]).train.sequences_per_step(128) == 12
    tokens = load(None, ["train.global_batch_tokens=5000", "train.canonical_shards=4"]).train
    # 39 sequences of 128 tokens fit; 36 of them are equally many of each of the 4 shards.
    assert tokens.sequences_per_step(128) == 36
    with pytest.raises(ConfigError, match=r"global_batch_size = 8 .*global_batch_tokens = 1024 .*to null"):
        load(DEFAULT_RUN, ["train.global_batch_tokens=1024"])
    both = load(DEFAULT_RUN, ["train.global_batch_tokens=1024", "train.global_batch_size=null"]).train
    assert both.sequences_per_step(128) == 8
    with pytest.raises(
        ValueError, match="global_batch_tokens = 5000 is less than 8000, one sequence of 2000"
    ):
        tokens.sequences_per_step(2000)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["momentum=0.9"], "momentum = 0.9 is for the optimizers sgd and rmsprop, not adamw"),
        (["nesterov=true", "optimizer=sgd"], "nesterov needs optimizer sgd with momentum > 0"),
        (["optimizer=lion"], "train.optimizer = 'lion'.*'adamw'"),
        (["plateau.factor=1.5"], "train.plateau.factor = 1.5"),
        (["plateau.patiance=1"], "did you mean train.plateau.patience"),
    ],
)
def test_keys_of_training_that_do_not_fit_together(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(None, [f"train.{override}" for override in overrides])


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text("train: {steps: 0}\nfoo: 1\n")
    with pytest.raises(
        ConfigError, match=r"train\.steps = 0.*unknown key 'foo'|unknown key 'foo'.*train\.steps = 0"
    ):
        load(run)


@pytest.mark.parametrize("text", ["- a\n- b\n", "train: [", "just text"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    run = tmp_path / "run.yaml"
    run.write_text(text)
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        load(run)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'nowhere\.yaml' does not exist"):
        load("nowhere.yaml")


def test_yaml_cannot_build_objects(tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load(run)
