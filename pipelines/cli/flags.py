"""Flags that stand for keys of the configuration: type, choices, default and help are those of the key.

The configuration alone says what a value may be: a flag takes any text, and what is wrong with it is told by
`conf.load`, as it is for `--set`. A command's flags are made when it is called or its help is shown, since
`ringlake --help` needs none of them.
"""

from __future__ import annotations

import inspect
from typing import Annotated, Any, get_origin

import typer
from typer.core import TyperCommand

from pipelines.added import every_stage, run_model
from pipelines.cli.values import metavar, read
from pipelines.cli.variadic import repeat_options
from pipelines.stages import BY_NAME, Flag, Stage


class FlagCommand(TyperCommand):
    """The command of a stage, with the flags of its declaration.

    Its callback takes a list `settings` of texts `KEY=VALUE`: what the flags say, then what `--set` says,
    which therefore wins. A flag that takes several values takes all words up to the next option, since a
    shell makes many words of `--input logs/*.jsonl`.
    """

    _has_flags = False

    @property
    def stage(self) -> Stage:
        """Its stage; that of another package is loaded now.

        Raises:
            ExtensionError: That cannot be used.
        """
        name = self.name or ""
        return BY_NAME.get(name) or next(stage for stage in every_stage() if stage.name == name)

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Its flags."""
        return self.stage.flags

    def get_params(self, ctx: Any) -> list[Any]:
        """All parameters; the flags are made at the first call."""
        if not self._has_flags:
            self.params = [*_parameters(self.stage), *self.params]
            self._has_flags = True
        return super().get_params(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments as typer understands them."""
        names = {flag.parameter for flag in self.flags}
        several = {
            option
            for parameter in self.get_params(ctx)
            if getattr(parameter, "multiple", False) and parameter.name in names
            for option in parameter.opts
        }
        return super().parse_args(ctx, repeat_options(args, several))

    def invoke(self, ctx: Any) -> Any:
        """Calls the command with its flags among the `settings`."""
        given = {flag.key: ctx.params.pop(flag.parameter, None) for flag in self.flags}
        settings = self.overrides({key: value for key, value in given.items() if value not in (None, (), [])})
        ctx.params["settings"] = [*settings, *(ctx.params.get("settings") or [])]
        return super().invoke(ctx)

    def overrides(self, given: dict[str, Any]) -> list[str]:
        """Values by key as the texts `KEY=VALUE` that `conf.load` takes."""
        from conf.keys import key
        from conf.reading import override

        model = run_model([self.stage])
        return [override(name, read(key(name, model), value)) for name, value in given.items()]


def _parameters(stage: Stage) -> list[Any]:
    """The flags of a stage as typer's own parameters, made as those of any command."""
    if not stage.flags:
        return []
    from conf import DEFAULT_RUN, load
    from conf.keys import key, shown

    model = run_model([stage])
    plain, preset = load(model=model), load(DEFAULT_RUN, model=model)
    made = []
    for flag in stage.flags:
        found = key(flag.key, model)
        switch = bool in found.members
        several = any(get_origin(member) is tuple for member in found.members)
        notes = ["several may follow"] if several else []
        notes += [f"key: {flag.key}", f"default: {found.default}"]
        if (here := _at(preset, flag.key)) != _at(plain, flag.key):
            notes.append(f"in {DEFAULT_RUN}: {shown(here)}")
        option = typer.Option(
            f"{flag.option}/--no-{flag.option[2:]}" if switch else flag.option,
            help=f"{found.meaning} [{'; '.join(notes)}]",
            metavar=None if switch else metavar(found),
        )
        kind: Any = bool if switch else list[str] if several else str
        made.append(
            inspect.Parameter(
                flag.parameter,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind | None, option],
            )
        )

    def command(**_values: Any) -> None: ...

    command.__signature__ = inspect.Signature(made)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in made}
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return list(typer.main.get_command(app).params)


def _at(config: Any, key: str) -> Any:
    for name in key.split("."):
        config = getattr(config, name)
    return config
