"""What the run calls: train a model and score it, each as ranks in a barrier stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from conf.evaluate import EvaluateConfig
from conf.model import ModelConfig
from conf.strategy import StrategySection
from conf.task import TaskConfig
from conf.train import TrainConfig
from ringlake.base.storage import Folder
from ringlake.base.tasks import LANGUAGE_MODEL
from training.added import section_of
from training.checkpoints.identity import check_newest
from training.data.footers import Spread
from training.data.layout import read_layout
from training.data.snapshot import Snapshot
from training.errors import DataError, RankFailedError
from training.facts import NAME, check_task, target_of
from training.job import EvaluateJob, TrainJob
from training.launch import Elastic, LaunchOptions, launch
from training.launch.slots import count_slots
from training.logs.metrics import METRICS_FILE
from training.logs.progress import Progress, duration, loss_text
from training.models.card.about import About
from training.models.checks import check_pretrained, check_tokenizer
from training.models.content import start_content
from training.outcome import Score, Served, Trained
from training.sources import Sources, TableUse, check_same, open_sources

DEFAULT_RANKS = 2
"""Ranks of `num_ranks: auto`, where there are as many slots."""

_NO_STRATEGY = StrategySection()
"""Of ranks that update nothing."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class TrainResult:
    """What a training did, all its restarts included.

    Attributes:
        steps: Optimizer steps.
        sequences_planned: Sequences that the sample plan holds for these steps.
        sequences_used: Sequences that went into them.
        tokens: Tokens in those, padding excluded.
        loss: Training loss of the last step that had a target, nats per target; None: no step had.
        validation_loss: Validation loss at the end; None: nothing was validated.
        best_validation_loss: The lowest validation loss, or None.
        best_step: Step of it, or 0.
        stopped_early: Whether training stopped because validation no longer improved.
        parameters: Trainable numbers in the model.
        seconds: Time the steps took.
        tokens_per_second: Tokens over that time.
        data_wait_share: Share of that time in which ranks waited for data.
        communication_share: Share of that time that rank 0 spent with the others, waiting included.
        tflops: Model TFLOP/s of all ranks together over that time, see `training.models.flops`.
        epochs: Passes over the training split.
        resumed_from: Step of the checkpoint that this call went on from; 0 if there was none.
        num_ranks: Ranks of this call; with `elastic`, of its last attempt.
        metrics: The log, one JSON line a step.
        sequences_lost: Planned sequences that were left out because a rank died that the others can go on
            without.
        tables: What the plan took of each table, the run's own first.
        gpu_seconds: Time for which the ranks of this call held a GPU, all together.
    """

    steps: int
    sequences_planned: int
    sequences_used: int
    tokens: int
    loss: float | None
    validation_loss: float | None
    best_validation_loss: float | None
    best_step: int
    stopped_early: bool
    parameters: int
    seconds: float
    tokens_per_second: float
    data_wait_share: float
    communication_share: float
    tflops: float
    epochs: float
    resumed_from: int
    num_ranks: int
    metrics: str
    sequences_lost: int = 0
    tables: list[TableUse] = field(default_factory=list)
    gpu_seconds: float = 0.0

    def details(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self)


def train_model(
    spark: Any,
    model: ModelConfig,
    config: TrainConfig,
    train: Snapshot,
    validation: Snapshot,
    tokenizer_dir: str | Path,
    checkpoint_dir: str | Path,
    model_dir: str | Path,
    say: Say,
    mixed: Sequence[Snapshot] = (),
    task: TaskConfig | None = None,
    about: About | None = None,
    target_tokenizer_dir: str | Path | None = None,
) -> TrainResult:
    """Train from the newest checkpoint on, or from the start, and write the model folder.

    Args:
        spark: The active SparkSession.
        model: The model section.
        config: The train section.
        train: Training sequences.
        validation: Validation sequences.
        tokenizer_dir: Folder (here and below a path or URL) with tokenizer.json, copied beside the model.
        checkpoint_dir: Folder of checkpoints and metrics.
        model_dir: Folder of the finished model, replaced at the end.
        say: Takes a line of progress.
        mixed: Training sequences of `train.mixture.lakes`, in their order.
        task: What the model is for; None: a language model.
        about: What the README of the model says besides; None: nothing.
        target_tokenizer_dir: Folder of the tokenizer of the targets; None: they have that one.

    Raises:
        DataError: Sequences, plan, model or checkpoint do not fit; the message has values and remedy.
        NotEnoughSlotsError: There are fewer slots than ranks.
        RankFailedError: A rank raised or died, in each of the `max_restarts` + 1 attempts.
    """
    task = task or TaskConfig()
    check_task(task, train.task, f"the sequences of {train.table} version {train.version}")
    check_same(train, validation, "both must be made with the same tokenizer and length")
    if config.layer_decay < 1 and section_of(config.strategy).num_servers:
        raise DataError(
            f"train.layer_decay = {config.layer_decay}: parameter servers have one rate for all; take 1, "
            f"or strategy ring"
        )
    if config.lora.rank and model.pretrained is None:
        raise DataError(
            f"train.lora.rank = {config.lora.rank} adapts a model that has learned something; name one in "
            f"model.pretrained, or set it to 0"
        )
    remedy = "tokenize again, or put that tokenizer back"
    check_tokenizer(tokenizer_dir, train, remedy)
    if (target := target_of(train.task)) is not None and target_tokenizer_dir is not None:
        check_tokenizer(target_tokenizer_dir, train, remedy, target)
    check_pretrained(model, tokenizer_dir, train, target_tokenizer_dir)
    num_ranks = choose_ranks(spark, config, say)
    sources = open_sources(config, train, mixed, over_tasks(spark))
    plan = sources.plan
    elastic = bounds_of(config, config.canonical_shards)
    if elastic is None:
        plan.shards_of(0, num_ranks)
    job = TrainJob(
        model=model,
        config=config,
        plan=plan,
        train=sources.layout,
        validation=read_layout(validation, over_tasks(spark)) if config.validate_every else None,
        vocab_size=train.vocab_size,
        tokenizer_dir=str(tokenizer_dir),
        checkpoint_dir=str(checkpoint_dir),
        model_dir=str(model_dir),
        source=sources.identity | start_content(model),
        task=task,
        facts=train.task,
        about=about or About(),
        target_tokenizer_dir=str(target_tokenizer_dir or ""),
    )
    check_newest(Folder(str(checkpoint_dir)), job.identity())
    _describe_mixture(sources, say)
    say(
        f"train: {config.steps:,} steps of {plan.global_batch_size} sequences of {train.sequence_length} "
        f"tokens on {_describe_ranks(num_ranks, elastic)}, "
        f"{config.steps / plan.steps_per_epoch:.2f} epochs of {sources.layout.num_sequences:,} sequences"
    )
    values = run_ranks(
        spark, _take_part, job, config, num_ranks, elastic, "train", say, section_of(config.strategy)
    )
    trained: Trained = values[0]
    totals = trained.totals
    result = TrainResult(
        steps=totals.step,
        sequences_planned=plan.count_sequences(totals.step),
        sequences_used=totals.sequences,
        tokens=totals.tokens,
        loss=_number(totals.loss),
        validation_loss=_number(totals.validation_loss),
        best_validation_loss=_number(trained.best_validation_loss),
        best_step=trained.best_step,
        stopped_early=trained.stopped_early,
        parameters=trained.parameters,
        seconds=totals.seconds,
        tokens_per_second=totals.tokens / totals.seconds,
        data_wait_share=totals.wait_seconds / totals.seconds,
        communication_share=totals.communication_seconds / totals.seconds,
        tflops=totals.tokens * trained.flops_per_token / totals.seconds / 1e12,
        epochs=totals.step / plan.steps_per_epoch,
        resumed_from=trained.resumed_from,
        num_ranks=trained.num_ranks,
        metrics=f"{checkpoint_dir}/{METRICS_FILE}",
        sequences_lost=totals.lost,
        tables=sources.account(totals.step),
        gpu_seconds=trained.gpu_seconds,
    )
    say(
        f"train: {result.steps:,} steps in {duration(result.seconds)}, {result.parameters:,} parameters, "
        f"loss {loss_text(result.loss)}, validation loss {loss_text(result.validation_loss)}, "
        f"{result.tokens_per_second:,.0f} tokens/s, waiting for data {result.data_wait_share:.1%}"
    )
    return result


def evaluate_model(
    spark: Any,
    config: EvaluateConfig,
    train: TrainConfig,
    validation: Snapshot,
    model_dir: str | Path,
    say: Say,
    *,
    before: str = "",
) -> Score:
    """Score a model folder on the whole validation split.

    Args:
        spark: The active SparkSession.
        config: The evaluate section.
        train: The train section, for ranks and threads.
        validation: Validation sequences.
        model_dir: The model folder.
        say: Takes a line of progress.
        before: Folder of the sequences' tokenizer, for a model as it was before it was trained on them, whose
            own tokenizer may be written in another way; empty: the model was trained on them.

    Raises:
        DataError: Sequences or model do not fit.
        NotEnoughSlotsError: There are fewer slots than ranks.
        RankFailedError: A rank raised or died, in each of the `max_restarts` + 1 attempts.
    """
    if not validation.num_sequences:
        say(
            f"evaluate: {validation.table} version {validation.version} has no validation sequences, so "
            f"there is nothing to score; raise dedup.validation_fraction"
        )
        return Score(0.0, 0, 0, 0)
    if before:
        check_pretrained(ModelConfig(pretrained=str(model_dir)), before, validation)
    else:
        remedy = "evaluate a model that was trained on these tokens, or train anew"
        check_tokenizer(model_dir, validation, remedy)
    num_ranks = choose_ranks(spark, train, say)
    job = EvaluateJob(
        model_dir=str(model_dir),
        layout=read_layout(validation, over_tasks(spark)),
        vocab_size=validation.vocab_size,
        batch_size=config.batch_size,
        task=str(validation.task.get(NAME, LANGUAGE_MODEL)),
        facts=validation.task,
        config=train,
        tokenizer_dir=before,
        apart=train.document_mask if before else None,
    )
    elastic = bounds_of(train, None)
    score: Score = run_ranks(spark, _evaluate_rank, job, train, num_ranks, elastic, "evaluate", say)[0]
    if score.bits_per_byte is None:
        say(
            f"evaluate: the {score.num_targets} targets of the {score.num_sequences} validation sequences of "
            f"{validation.table} version {validation.version} stand for no text, so there are no bits per "
            f"byte{'' if score.num_targets else ' and no loss'}; raise dedup.validation_fraction"
        )
    return score


def over_tasks(spark: Any) -> Spread:
    """Reads footers in Spark's tasks: where ranks find the files, their tasks do."""

    def spread(read: Callable[..., Any], parts: Sequence[Sequence[Any]]) -> list[Any]:
        tasks = spark.sparkContext.parallelize([tuple(part) for part in parts], len(parts))
        return list(tasks.map(read).collect())

    return spread


def choose_ranks(spark: Any, config: TrainConfig, say: Say) -> int:
    """The number of ranks: as configured, or for 'auto' two where there are slots (and shards) for them.

    With `elastic`, 'auto' is its maximum; the launch takes what there are slots for.
    """
    if config.num_ranks != "auto":
        return config.num_ranks
    if config.elastic:
        return config.elastic.max
    strategy = section_of(config.strategy)
    if strategy.for_one_rank:
        return 1
    slots = count_slots(spark) - strategy.num_servers
    num_ranks = max(count for count in range(1, DEFAULT_RANKS + 1) if config.canonical_shards % count == 0)
    if slots < num_ranks:
        say(
            f"train: {slots} slot in {spark.sparkContext.master}, so there is 1 rank instead of {num_ranks}; "
            f"the result is the same up to rounding"
        )
        return 1
    return num_ranks


def _describe_mixture(sources: Sources, say: Say) -> None:
    if sources.plan.num_tables == 1:
        return
    for snapshot, share in zip(sources.snapshots, sources.plan.shares, strict=True):
        say(
            f"train: {share:.1%} of each batch from {snapshot.table} version {snapshot.version} "
            f"({snapshot.num_sequences:,} sequences)"
        )


def bounds_of(config: TrainConfig, shards: int | None) -> Elastic | None:
    """Bounds of ranks that follow the slots and divide the shards; None where their number is fixed."""
    bounds = config.elastic
    return None if bounds is None else Elastic(bounds.min, bounds.max, shards)


def _describe_ranks(num_ranks: int, elastic: Elastic | None) -> str:
    text = f"{num_ranks} rank{'s' if num_ranks > 1 else ''}"
    return text if elastic is None else f"{text} (as slots allow, {elastic.min} to {elastic.max})"


def run_ranks(
    spark: Any,
    function: Callable[..., Any],
    job: Any,
    config: TrainConfig,
    num_ranks: int,
    elastic: Elastic | None,
    name: str,
    say: Say,
    strategy: StrategySection = _NO_STRATEGY,
) -> list[Any]:
    """What a function gives on each rank of a barrier stage, by rank.

    Args:
        spark: The active SparkSession.
        function: Runs on every rank.
        job: Its argument.
        config: The train section: threads, network, restarts.
        num_ranks: Ranks.
        elastic: Bounds on them, or None.
        name: What they do, for people.
        say: Takes a line of progress.
        strategy: The strategy of a training.

    Raises:
        NotEnoughSlotsError: There are fewer slots than ranks.
        RankFailedError: A rank raised or died, in each of the `max_restarts` + 1 attempts.
    """
    options = LaunchOptions(
        threads_per_rank=config.threads_per_rank,
        stall_seconds=config.stall_seconds,
        interface=config.interface,
        ports=config.ports,
        max_restarts=config.max_restarts,
        elastic=elastic,
        description=name,
        say=say,
        on_event=Progress(say),
        expendable=strategy.expendable(num_ranks),
    )
    try:
        return launch(function, num_ranks + strategy.num_servers, spark=spark, args=(job,), options=options)
    except RankFailedError as error:
        if not strategy.num_servers:
            raise
        raise name_server(error, num_ranks) from None


def name_server(error: RankFailedError, num_ranks: int) -> RankFailedError:
    """The error of a failed launch, with a line if the process that failed was a parameter server."""
    rank = error.cause.rank
    if rank < num_ranks:
        return error
    return error.noting(
        f"rank {rank} was parameter server {rank - num_ranks}; what it held is lost, but the last checkpoint "
        f"has all of it: the same command goes on from there"
    )


def _number(value: float) -> float | None:
    """A figure for those who read JSON, which knows neither NaN nor infinity."""
    return value if math.isfinite(value) else None


def _take_part(job: TrainJob) -> Trained | Served:
    # Imported on the rank: the driver needs neither torch nor transformers.
    from training.loop import take_part

    return take_part(job)


def _evaluate_rank(job: EvaluateJob) -> Score:
    from training.evaluate import evaluate_rank

    return evaluate_rank(job)
