"""Generate: the model's continuation of each prompt, or its answer where it learned from chats."""

from __future__ import annotations

from pipelines.bindings.model import leaves, own_model, trained
from pipelines.lake.paths import write_json
from pipelines.run.accounting import Tally
from pipelines.run.binding import Binding, Given, Made
from ringlake.base.tasks import kind_of


def _generate(given: Given[None]) -> Made:
    task = kind_of(given.config.task.name)
    if task.verb != "generate":
        given.say(f"    a model of the task {task.name} does not continue prompts; there are no samples")
        write_json(given.context.lake.samples, [])
        return Made(tally=Tally(0, 0), details={"samples": 0})
    # Here and not above: torch takes seconds to import, and no other stage needs it in this process.
    from training.generate import generate_text

    config = given.config.generate
    samples = []
    model = own_model(given.context).location
    for prompt in config.prompts:
        text = generate_text(model, prompt, config, asks=task.chats)
        samples.append({"prompt": prompt, "text": text})
        given.say(f"    {prompt!r} -> {text[:100]!r}")
    write_json(given.context.lake.samples, samples)
    return Made(tally=Tally(0, 0), details={"samples": len(samples)})


BINDING = Binding(_generate, trained, leaves(lambda lake: [lake.samples]))
