"""What the report says, as plain values: filled by `collect`, drawn by `charts` and the template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.report.answers import Answers
    from pipelines.report.cost import Cost


@dataclass(frozen=True)
class Loss:
    """Documents that left between two steps of the funnel."""

    label: str
    documents: int
    num_bytes: int | None


@dataclass(frozen=True)
class FunnelStep:
    """One step of the funnel: what a table holds; None where it is not known or does not apply."""

    name: str
    meaning: str
    documents: int | None
    num_bytes: int | None = None
    tokens: int | None = None
    lost: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class StageAccounts:
    """The newest run of a stage, as the ledger has it.

    Attributes:
        stale: What has changed since: tables it read that have a newer version now.
        failed_since: Error of a later run that failed, if there is one.
        extensions: What of other packages it used, each with its distribution and version.
    """

    stage: str
    unit: str
    rows_in: int
    rows_out: int
    rejected: int
    quarantined: int
    duplicate: int
    seconds: float
    peak_memory_mb: float
    started_at: datetime | None
    inputs: dict[str, int]
    outputs: dict[str, int]
    run_key: str
    config_hash: str
    code_version: str
    stale: tuple[str, ...] = ()
    failed_since: str | None = None
    extensions: tuple[str, ...] = ()

    @property
    def balanced(self) -> bool:
        """Whether in = out + rejected + quarantined + duplicates."""
        return self.rows_in == self.rows_out + self.rejected + self.quarantined + self.duplicate


@dataclass(frozen=True)
class QuarantineRow:
    """One file or record that could not be read."""

    source: str
    scope: str
    offset: int
    line: int | None
    reason: str
    detail: str
    excerpt: str


@dataclass(frozen=True)
class ReasonCount:
    """How often one reason of quarantine occurred."""

    reason: str
    scope: str
    count: int


@dataclass(frozen=True)
class Quarantine:
    """What could not be read: all reasons counted, the first rows in full."""

    total: int
    reasons: tuple[ReasonCount, ...]
    rows: tuple[QuarantineRow, ...]


@dataclass(frozen=True)
class SourceGroup:
    """Input files that one reader met with one outcome; `num_bytes` as stored."""

    format: str
    compression: str
    state: str
    files: int
    num_bytes: int
    records: int


@dataclass(frozen=True)
class SourceGroups:
    """The input files by reader and by what became of them."""

    rows: tuple[SourceGroup, ...]


@dataclass(frozen=True)
class Example:
    """A rejected document: where it is from, what was measured, the beginning of its text."""

    doc_id: str
    source: str
    value: float
    num_bytes: int
    excerpt: str


@dataclass(frozen=True)
class RuleRejections:
    """What one quality rule rejected; `quantiles`: minimum, quartiles and maximum of the measured value."""

    name: str
    threshold: float
    comparison: str
    count: int
    num_bytes: int
    quantiles: tuple[float, ...]
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Rejections:
    """What the quality rules turned away, most frequent rule first."""

    judged: int
    total: int
    num_bytes: int
    rules: tuple[RuleRejections, ...]


@dataclass(frozen=True)
class Repairs:
    """What cleaning changed in the documents it kept: placeholders by kind, characters repaired."""

    pii: dict[str, int]
    repairs: int


@dataclass(frozen=True)
class Member:
    """A removed member of a duplicate cluster."""

    doc_id: str
    source: str
    method: str
    similarity: float
    excerpt: str


@dataclass(frozen=True)
class Cluster:
    """A cluster of (near) duplicates: the document that stayed, and the first of those removed."""

    doc_id: str
    source: str
    size: int
    excerpt: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Pair:
    """A removed document beside the one that stays."""

    similarity: float
    kept_doc_id: str
    kept_excerpt: str
    removed: Member


@dataclass(frozen=True)
class Method:
    """What one method of deduplication removed; `quantiles` of the similarity as in `Rule`."""

    name: str
    count: int
    num_bytes: int
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Duplicates:
    """What deduplication removed; `superseded` are documents that earlier batches of the history kept."""

    judged: int
    total: int
    clusters_total: int
    methods: tuple[Method, ...]
    clusters: tuple[Cluster, ...]
    pairs: tuple[Pair, ...] = ()
    superseded: int = 0


@dataclass(frozen=True)
class EvalSetOverlap:
    """What one evaluation set shares with the survivors of deduplication."""

    name: str
    items: int
    items_found: int
    documents: int
    texts_too_short: int


@dataclass(frozen=True)
class Overlapping:
    """A document that left because it overlaps an evaluation set."""

    source: str
    doc_id: str
    eval_set: str
    item_id: str
    num_ngrams: int
    share: float
    example: str


@dataclass(frozen=True)
class Contamination:
    """What overlapped evaluation sets; `rows`: the documents that overlap most."""

    ngram: int
    documents: int
    num_bytes: int
    sets: tuple[EvalSetOverlap, ...]
    rows: tuple[Overlapping, ...]


@dataclass(frozen=True)
class RepeatedUnit:
    """A line or paragraph that was dropped."""

    excerpt: str
    num_documents: int
    num_dropped: int


@dataclass(frozen=True)
class Repeats:
    """What was dropped because many documents have it; `rows`: what most have.

    Attributes:
        units: Different lines or paragraphs.
        dropped: Times they were dropped.
        emptied: Documents that were little else, and their bytes.
    """

    units: int
    dropped: int
    emptied: tuple[int, int]
    rows: tuple[RepeatedUnit, ...]


@dataclass(frozen=True)
class Language:
    """Documents of one language: judged by cleaning, kept in the corpus (None before dedup has run)."""

    code: str
    judged: int
    kept: int | None
    kept_bytes: int | None


@dataclass(frozen=True)
class LanguageCounts:
    """The languages shown, most frequent first, and the sum of the others."""

    shown: tuple[Language, ...]
    others: Language | None
    num_others: int


@dataclass(frozen=True)
class Lengths:
    """Document lengths of one table.

    Attributes:
        bins: Documents by floor(log2(length in bytes)).
        quantiles: Minimum, quartiles and maximum in bytes.
    """

    table: str
    bins: dict[int, int]
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Split:
    """One split of `sequences`."""

    name: str
    sequences: int
    tokens: int


@dataclass(frozen=True)
class Tokens:
    """The encoded corpus: `quantiles` of tokens a document; `splits` once pack has run.

    `target_vocab_size` is None where targets have the vocabulary of the texts, or there are none.
    """

    total: int
    num_bytes: int
    vocab_size: int | None
    sequence_length: int | None
    quantiles: tuple[float, ...]
    splits: tuple[Split, ...]
    target_vocab_size: int | None = None


@dataclass(frozen=True)
class Curve:
    """Points of one measured quantity over steps."""

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def __bool__(self) -> bool:
        return bool(self.steps)


@dataclass(frozen=True)
class Staleness:
    """How stale the gradients of asynchronous ranks were.

    Attributes:
        mean: Updates by others that a gradient had not seen, over all gradients.
        most: The most of them that one gradient had not seen.
        ahead: Most steps that a rank was ahead of the slowest one.
        bound: Steps that it was allowed to be ahead; None if the configuration does not say.
        ranks: Ranks at the beginning and at the end.
        means: Mean by step.
        peaks: The most by step.
    """

    mean: float
    most: int
    ahead: int
    bound: int | None
    ranks: tuple[int, int]
    means: Curve
    peaks: Curve


@dataclass(frozen=True)
class Spending:
    """A loss over the bytes that had been sent when it was measured."""

    num_bytes: tuple[float, ...]
    values: tuple[float, ...]

    def __bool__(self) -> bool:
        return bool(self.num_bytes)


@dataclass(frozen=True)
class Traffic:
    """What all processes of a training sent to each other for its updates.

    Attributes:
        total: Bytes of all steps.
        ring_total: Bytes that a ring of float32 gradients would have sent for the same steps; None if the
            log does not say.
        loss: Training loss over the bytes sent.
        validation: Validation loss over them.
        ring_loss: The same training loss over the ring's bytes; empty where these are what was sent.
    """

    total: int
    ring_total: int | None
    loss: Spending
    validation: Spending
    ring_loss: Spending


@dataclass(frozen=True)
class Training:
    """Curves and figures of the training run; loss in nats a token, shares from 0 to 1."""

    loss: Curve
    validation: Curve
    throughput: Curve
    waiting: Curve
    figures: tuple[tuple[str, str], ...]
    problem: str | None = None
    staleness: Staleness | None = None
    traffic: Traffic | None = None


@dataclass(frozen=True)
class ModelScore:
    """One row of the evaluation; bits per byte and loss (nats a token)."""

    name: str
    bits_per_byte: float | None
    loss: float | None
    perplexity: float | None


@dataclass(frozen=True)
class Scores:
    """The model beside its baselines on the validation split."""

    scores: tuple[ModelScore, ...]
    below_bigram: float | None
    targets: int | None
    num_bytes: int | None

    def score(self, name: str) -> ModelScore | None:
        """The score of that name, None if it was not measured."""
        return next((score for score in self.scores if score.name == name), None)


@dataclass(frozen=True)
class Sample:
    """A prompt and what the model went on with."""

    prompt: str
    text: str


@dataclass(frozen=True)
class TableState:
    """A table at the version this report describes."""

    name: str
    meaning: str
    version: int
    rows: int
    num_bytes: int


@dataclass(frozen=True)
class Origin:
    """How the lake came to be, and how to make it again.

    Attributes:
        as_run: Whether the tables were made with the configuration this report was called with;
            if not, `command` uses the file with the configuration below instead of the run file.
    """

    versions: tuple[tuple[str, str], ...]
    machine: tuple[tuple[str, str], ...]
    command: str
    as_run: bool
    configuration: str


@dataclass(frozen=True)
class Facts:
    """All that the report says; None for what has not run yet."""

    name: str
    lake: str
    written_at: datetime
    steps: tuple[FunnelStep, ...]
    runs: tuple[StageAccounts, ...]
    missing: tuple[str, ...]
    tables: tuple[TableState, ...]
    origin: Origin
    sources: SourceGroups | None = None
    quarantine: Quarantine | None = None
    rejections: Rejections | None = None
    repairs: Repairs | None = None
    duplicates: Duplicates | None = None
    contamination: Contamination | None = None
    repeats: Repeats | None = None
    languages: LanguageCounts | None = None
    lengths: tuple[Lengths, ...] = ()
    tokens: Tokens | None = None
    training: Training | None = None
    evaluation: Scores | None = None
    answers: Answers | None = None
    samples: tuple[Sample, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    cost: Cost | None = None

    def step(self, name: str) -> FunnelStep | None:
        """The step of the funnel with that name, None if the lake has not come so far."""
        return next((step for step in self.steps if step.name == name), None)

    @property
    def seconds(self) -> float:
        """Wall time of the newest run of every stage together."""
        return sum(run.seconds for run in self.runs)
