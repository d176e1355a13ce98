"""Tokenize: trains or adopts a tokenizer, then encodes; by the other library where gigatoken's ids differ."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from conf.task import TaskConfig
from conf.tokenize import TokenizeConfig
from pipelines.bindings.tokenizers import tokenizer_files, tokenizer_folder
from pipelines.errors import EnvironmentProblem, InputError
from pipelines.lake import Lake
from pipelines.run.binding import Besides, Binding, Given, Made
from pipelines.run.context import Context
from pipelines.run.keys import digest
from pipelines.tokenize.audit import difference_in, special_in
from pipelines.tokenize.choice import without_gigatoken
from pipelines.tokenize.existing import files_hash
from pipelines.tokenize.folder import (
    CONFIG,
    MAX_CONFIG_BYTES,
    MAX_TOKENIZER_BYTES,
    TOKENIZER,
    TokenizerInfo,
    read_json,
)
from pipelines.tokenize.frame import OF_TARGETS, PLAIN, Form
from pipelines.tokenize.stage import WRITE_SETTINGS, tokenize
from pipelines.tokenize.tasks import Examples, examples_of, facts_of, make_examples
from pipelines.tokenize.train import train_tokenizer
from ringlake.base.scratch import scratch_folder
from ringlake.base.storage import Folder
from ringlake.base.tasks import extensions_of
from schemas.token_ids import WORD_BYTES, token_bytes
from training.facts import TARGET, TargetVocabulary, target_of

_WORKER_DIED = "Python worker exited unexpectedly"
"""What Spark says where a worker was killed by a signal, as by a fault in native code."""


def _adopted(context: Context) -> Besides[str | None]:
    """The tokenizers that are not trained here, and the chat template of a file."""
    template = None
    if context.config.task.chat_template is not None:
        template = read_json(Path(context.config.task.chat_template), MAX_CONFIG_BYTES)
    found = files_hash(context.config.tokenize.tokenizer)
    targets = files_hash(context.config.task.adopted_target_tokenizer, OF_TARGETS)
    more = [part for part in (template, targets) if part]
    return Besides(
        template,
        digest(found, *more) if more else found,
        extensions=extensions_of(context.config.task.name),
    )


@dataclass(frozen=True)
class _Encoding:
    """What is encoded, and by what.

    Attributes:
        corpus: Its texts.
        tokenizer_json: The tokenizer's file.
        made: What is noted of the tokenizer with the commit of `tokens`.
        training_seconds: How long it took to train.
        target: The tokenizer of the targets; None: they have that of the texts.
    """

    corpus: DataFrame
    tokenizer_json: Path
    made: Mapping[str, Any]
    training_seconds: float
    target: TokenizerInfo | None = None


def _tokenize(given: Given[str | None]) -> Made:
    corpus, config, task = given.frame("corpus"), given.config.tokenize, examples_of(given.config.task.name)
    texts, form, targets = corpus, PLAIN, None
    if task is not None:
        targets = task.targets(corpus) if task.targets and given.config.task.has_target_tokenizer else None
        texts, template = task.texts(corpus) if targets is None else corpus, given.besides
        if config.tokenizer is None and task.template:
            special = (*config.special_tokens, *task.special_tokens)
            config = config.model_copy(update={"special_tokens": special})
            template = template or task.template
        form = Form(task.frame, template, task.longest(given.config.task))
    draft = given.hold(scratch_folder("ringlake-tokenizer-"))
    began = time.monotonic()
    info = train_tokenizer(texts, config, draft / "new", given.say, form)
    _keep(given.context.lake, info)
    target = None
    if targets is not None:
        own, form = _of_targets(given.config.task, config), replace(form, keys=OF_TARGETS)
        target = train_tokenizer(targets, own, draft / "target", given.say, form)
        _keep(given.context.lake, target)
    seconds = round(time.monotonic() - began, 3)
    made = {
        "tokenizer_hash": info.sha256,
        "vocab_size": info.vocab_size,
        "eod_id": info.eod_id,
        "token_bytes": token_bytes(info.vocab_size),
    }
    encoding = _Encoding(corpus, info.folder / "tokenizer.json", made, seconds, target)
    return _encode(given, encoding, config) if task is None else _make_examples(given, encoding, task)


def _of_targets(task: TaskConfig, config: TokenizeConfig) -> TokenizeConfig:
    """The section as it makes the tokenizer of the targets."""
    place, end = task.adopted_target_tokenizer, task.target_end_token
    size = task.target_vocab_size or config.vocab_size
    return config.model_copy(update={"tokenizer": place, "end_token": end, "vocab_size": size})


def _keep(lake: Lake, info: TokenizerInfo) -> None:
    """Puts a tokenizer where the lake keeps it."""
    folder = tokenizer_folder(lake, info.sha256)
    if tokenizer_files(folder) != tokenizer_files(Folder(str(info.folder))):
        # A folder of which a file was lost or changed is no better than none.
        folder.replace_by(info.folder)


def _make_examples(given: Given[str | None], encoding: _Encoding, task: Examples) -> Made:
    """Examples of the task of the run file in place of texts."""
    config = given.config.task
    facts = facts_of(task, encoding.corpus, config)
    targets = ""
    if (target := encoding.target) is not None:
        facts[TARGET] = TargetVocabulary(target.sha256, target.vocab_size, target.eod_id).noted()
        targets = read_json(target.folder / TOKENIZER, MAX_TOKENIZER_BYTES)
    content = read_json(encoding.tokenizer_json, MAX_TOKENIZER_BYTES)
    settings = json.loads(read_json(encoding.tokenizer_json.with_name(CONFIG), MAX_CONFIG_BYTES))
    output = make_examples(task, encoding.corpus, config, content, facts, settings, targets)
    noted = {**encoding.made, "token_bytes": WORD_BYTES, "task": facts}
    details = {**output.details, **noted, "training_seconds": encoding.training_seconds}
    return Made.of(replace(output, details=details), noted=noted, settings=WRITE_SETTINGS)


def _encode(given: Given[str | None], encoding: _Encoding, config: TokenizeConfig) -> Made:
    output = tokenize(encoding.corpus, encoding.tokenizer_json, config, given.say)
    details = {**output.details, **encoding.made, "training_seconds": encoding.training_seconds}
    return Made.of(
        replace(output, details=details),
        noted=encoding.made,
        settings=WRITE_SETTINGS,
        instead=partial(_encode_again, given, encoding, config, output.details["engine"]),
    )


def _encode_again(
    given: Given[str | None], encoding: _Encoding, config: TokenizeConfig, engine: str, error: Exception
) -> Made:
    """All of it by `tokenizers` where gigatoken proves to give other ids."""
    special = special_in(error)
    if special is not None:
        raise InputError(
            f"tokenize: the tokenizer cannot be used: {special}; name another one in "
            f"tokenize.tokenizer, or other tokenize.special_tokens"
        ) from error
    if engine != "gigatoken":
        raise error
    difference = difference_in(error)
    if difference is None and _WORKER_DIED in str(error):
        raise EnvironmentProblem(
            "tokenize: a Python worker died while gigatoken encoded, most likely for want of memory; "
            "use fewer slots (spark.master=local[N]), or encode with the other library: "
            "--set tokenize.engine=tokenizers"
        ) from error
    if difference is None:
        raise error
    return _encode(given, encoding, without_gigatoken(config, difference, given.say))


def _left(context: Context, details: Mapping[str, Any]) -> dict[str, str]:
    """Identity of the tokenizers' folders, without which nothing trains on the tokens."""
    target = target_of(details.get("task") or {})
    hashes = {"tokenizers": str(details.get("tokenizer_hash"))}
    if target is not None:
        hashes["tokenizers/target"] = target.tokenizer_hash
    return {
        f"{place}/{name}": identity
        for place, sha256 in hashes.items()
        for name, identity in tokenizer_files(tokenizer_folder(context.lake, sha256)).items()
    }


BINDING = Binding(_tokenize, _adopted, _left)
