"""From a model folder to its page: what is missing is told before the model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from tempfile import TemporaryDirectory
from typing import Any

from conf.generate import GenerateConfig
from pipelines.demo.library import check_library, library
from pipelines.demo.serve import HOST, serve, taken
from pipelines.errors import InputError
from pipelines.predict.request import model_folder, request, told_as_input

_OF_TRANSLATION = ("source_language", "target_language")


def run_demo(
    model: str, port: int, options: Mapping[str, Any], base: GenerateConfig, say: Callable[[str], None]
) -> None:
    """Serves the page of a model until Ctrl-C.

    Args:
        model: Model folder, or a lake, whose model it then is.
        port: Port of 127.0.0.1.
        options: How the model is used, by name; None: the default.
        base: How texts are written where the page does not say.
        say: Takes a line for the user.

    Raises:
        EnvironmentProblem: The library is not installed, or the port is taken.
        InputError: There is no model, or it cannot be opened.
    """
    check_library()
    with (
        closing(taken(port)) as held,
        TemporaryDirectory(prefix="ringlake-demo-") as folder,
        told_as_input(),
    ):
        # Here and not above: it comes with transformers, which takes seconds to import.
        from training.inference.folder import natural_verb

        place = model_folder(model)
        verb, kind = natural_verb(place)
        given = {name: value for name, value in options.items() if value is not None}
        for name in _OF_TRANSLATION:
            if name in given and verb != "translate":
                raise InputError(
                    f"--{name.replace('_', '-')} is for translations; {model} is a {kind} to {verb}"
                )
        if verb == "generate":
            given |= base.model_dump(exclude={"prompts"})
        wanted = request(verb, place, given)

        from training.inference.opening import open_predictor

        predictor = open_predictor(wanted.verb, wanted.model, wanted.options)
        gr = library(folder)

        from pipelines.demo.desk import Desk
        from pipelines.demo.guard import Guard
        from pipelines.demo.page import application, page

        with closing(Desk()) as desk:
            blocks = page(gr, desk, verb, predictor, f"{model} ({kind})", base)
            say(f"{model} at http://{HOST}:{port}/ (Ctrl-C ends it)")
            serve(Guard(application(gr, blocks), port), held, desk.end_soon)
    say("ended")
