"""Scores models on whole texts, split over the ranks of one barrier stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conf.train import TrainConfig
from training.launch import current_rank
from training.start import bounds_of, choose_ranks, run_ranks

if TYPE_CHECKING:
    from training.inference.held_out import TextScore


@dataclass(frozen=True)
class ScoreJob:
    """What the ranks are given.

    Attributes:
        models: Model folders.
        texts: The texts.
        batch_tokens: Tokens that a rank computes at once, about.
    """

    models: tuple[str, ...]
    texts: tuple[str, ...]
    batch_tokens: int


def score_models(
    spark: Any,
    config: TrainConfig,
    models: Sequence[str],
    texts: Sequence[str],
    batch_tokens: int,
    say: Callable[[str], None],
) -> list[list[TextScore]]:
    """What some language models say of some texts.

    Args:
        spark: The active SparkSession.
        config: The train section, for ranks and threads.
        models: Model folders, paths or URLs.
        texts: The texts.
        batch_tokens: Tokens that a rank computes at once, about.
        say: Takes a line of progress.

    Returns:
        For each model the score of each text, in their order.

    Raises:
        NotEnoughSlotsError: There are fewer slots than ranks.
        RankFailedError: A rank raised or died, in each of the `max_restarts` + 1 attempts.
    """
    num_ranks = choose_ranks(spark, config, say)
    job = ScoreJob(tuple(models), tuple(texts), batch_tokens)
    parts = run_ranks(spark, _score, job, config, num_ranks, bounds_of(config, None), "score", say)
    return [
        sorted((score for part in parts for score in part[place]), key=lambda score: int(score.number))
        for place in range(len(models))
    ]


def _score(job: ScoreJob) -> list[list[TextScore]]:
    # Imported on the rank: the driver needs neither torch nor transformers.
    from training.inference.held_out import score_texts

    rank = current_rank()
    return [
        score_texts(model, job.texts, rank.rank, rank.world_size, job.batch_tokens) for model in job.models
    ]
