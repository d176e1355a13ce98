"""How a model is used: all that decides what it says besides the model and the rows, and how fast."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from conf.generate import GenerateConfig
from training.errors import DataError

Verb = Literal["generate", "translate", "classify", "answer", "embed"]
"""What a model can be asked for."""

VERBS: tuple[Verb, ...] = get_args(Verb)

INPUTS: dict[Verb, tuple[str, ...]] = {
    "generate": ("prompt", "messages"),
    "translate": ("text",),
    "classify": ("text",),
    "answer": ("question", "context"),
    "embed": ("text",),
}
"""Columns that a verb reads besides `id`; of those of `generate` a row has one."""


@dataclass(frozen=True)
class Options:
    """How a model is used.

    Attributes:
        generate: Length, sampling, beams and stop strings of `generate`.
        beams: Hypotheses that `translate` follows; None: as the model's own generation_config.json says.
        max_new_tokens: Longest translation in tokens; None: the power of two above twice the text's tokens
            and 15, but no more than the model writes.
        source_language: Code of the text's language, for models of many languages.
        target_language: Code of the translation's language, likewise.
        no_answer: Whether `answer` may say that there is none; None: as the model's configuration says
            (`no_answer`), else it may not.
        max_answer_tokens: Longest answer in tokens. 30 is what SQuAD's scripts use.
        batch_tokens: Padded tokens of a batch, unless one row has more. Decides speed and memory only.
        precision: float32, or bf16 on a GPU: half the memory, and texts may differ with the rows beside.
        threads: Threads of torch on a CPU; None: torch's own number.
    """

    generate: GenerateConfig = field(default_factory=GenerateConfig)
    beams: int | None = None
    max_new_tokens: int | None = None
    source_language: str | None = None
    target_language: str | None = None
    no_answer: bool | None = None
    max_answer_tokens: int = 30
    batch_tokens: int = 4096
    precision: Literal["float32", "bf16"] = "float32"
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, least, most in (
            ("beams", 1, 64),
            ("max_new_tokens", 1, 100_000),
            ("max_answer_tokens", 1, 10_000),
            ("batch_tokens", 1, 2**24),
            ("threads", 1, 4096),
        ):
            value = getattr(self, name)
            if value is not None and not (type(value) is int and least <= value <= most):
                raise DataError(f"{name} = {value!r} must be a whole number from {least} to {most}")
        if self.precision not in ("float32", "bf16"):
            raise DataError(f"precision = {self.precision!r} is not known; it is float32 or bf16")

    def deciding(self, verb: Verb) -> dict[str, Any]:
        """What decides the predictions of a verb, as JSON values: two runs with equal ones agree."""
        names = {
            "generate": ("generate",),
            "translate": ("beams", "max_new_tokens", "source_language", "target_language"),
            "answer": ("no_answer", "max_answer_tokens"),
        }.get(verb, ())
        values = asdict(self) | {"generate": self.generate.model_dump(mode="json", exclude={"prompts"})}
        return {name: values[name] for name in (*names, "precision")}


def verb_of(name: str) -> Verb:
    """A verb by its name; DataError with the known ones if there is none."""
    for verb in VERBS:
        if verb == name:
            return verb
    raise DataError(f"verb = {name!r} is not known; it is {', '.join(VERBS)}")
