"""A task that runs one stage of ringlake in a process of its own."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.log import redact

import ringlake  # noqa: F401 - it claims the names of the packages
from conf.urls import without_secrets
from ringlake.airflow.accounts import Status, StatusError, read_status, was_done_since
from ringlake.airflow.assets import assets_of
from ringlake.airflow.commands import environment, stage_command, status_command
from ringlake.airflow.outcomes import RETRY_EXIT_CODES, Outcome, outcome_of
from ringlake.airflow.process import GRACE_SECONDS, Command
from ringlake.airflow.secrets import check_places, values_of

ERROR = "ringlake: error: "
"""What the line that tells why a command failed begins with."""

LAST_LINES = 20
"""Lines among which that line is looked for."""


class RinglakeStageOperator(BaseOperator):
    """Runs `ringlake STAGE`; succeeds, is skipped as up to date, is tried again or fails for good.

    The accounts of the stage (`ringlake status --json`: rows in, out, rejected, quarantined, duplicate;
    versions of what it read and wrote; seconds) are what the task returns, and what each event of its assets
    has as `extra`. A task that is skipped has them as well, of the run that made what is there.

    A stage that is up to date skips its own task only: the rule of the task is `none_failed`, so the stages
    after it look for themselves.
    """

    template_fields: Sequence[str] = ("lake", "run_file", "settings", "env", "cwd")
    template_fields_renderers = {"settings": "json", "env": "json"}  # noqa: RUF012 - as Airflow has it
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        stage: str,
        lake: str,
        python: str,
        run_file: str | None = None,
        settings: Mapping[str, Any] | None = None,
        submit: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        cwd: str | None = None,
        retry_exit_codes: Collection[int] = RETRY_EXIT_CODES,
        skip_exit_codes: Collection[int] = (),
        grace_seconds: float = GRACE_SECONDS,
        **kwargs: Any,
    ) -> None:
        """Makes the task.

        Args:
            stage: Name of the stage.
            lake: Absolute path or URL of the lake; may be a template.
            python: A Python that has ringlake and all it needs; Airflow's own need not.
            run_file: The run file; may be a template.
            settings: Values by key of the configuration, over those of the run file; texts may be templates.
            submit: The words of a `spark-submit` up to the bundle's `main.py`, which then starts the stage.
            env: Environment variables; may be templates. Airflow shows them.
            secrets: The place of the value of each environment variable that is a secret, as
                `CONNECTION.FIELD` or `variable:NAME`; it is read when the task runs, and shown nowhere.
            cwd: Working folder of the command.
            retry_exit_codes: Exit codes that raise an error after which Airflow tries again.
            skip_exit_codes: Exit codes that skip the task.
            grace_seconds: How long a stage may take to end after an interrupt, on `execution_timeout` or when
                somebody ends the task.
            kwargs: What every operator takes: `task_id`, `retries`, `pool`, `execution_timeout`, ...

        Raises:
            ValueError: The lake is a relative path, or the place of a secret is none.
        """
        kwargs.setdefault("trigger_rule", "none_failed")
        kwargs.setdefault("outlets", assets_of(stage, lake))
        super().__init__(**kwargs)
        check_places(secrets or {})
        self.stage = stage
        self.lake = lake
        self.python = python
        self.run_file = run_file
        self.settings = dict(settings or {})
        self.submit = None if submit is None else list(submit)
        self.env = dict(env or {})
        self.secrets = dict(secrets or {})
        self.cwd = cwd
        self.retry_exit_codes = sorted(retry_exit_codes)
        self.skip_exit_codes = sorted(skip_exit_codes)
        self.grace_seconds = grace_seconds
        self._command: Command | None = None

    def execute(self, context: Any) -> dict[str, Any]:
        """Runs the stage, and returns its accounts.

        Raises:
            AirflowSkipException: It was up to date, or its exit code is one of `skip_exit_codes`.
            AirflowFailException: It failed for good.
            AirflowException: It failed for a reason that may pass.
        """
        words, env = self._prepared()
        before = self._status(env)
        self.log.info("%s", without_secrets(" ".join(words)))
        code, said = self._run(words, env)
        outcome = outcome_of(code, retry=self.retry_exit_codes, skip=self.skip_exit_codes)
        if outcome is not Outcome.DONE:
            raise _error(outcome, f"stage {self.stage} ended with {_ending(code)}: {said}")
        after = self._status(env)
        accounts = after.accounts(self.stage, self.lake)
        if accounts is None:
            raise AirflowFailException(
                f"stage {self.stage} ended well, but the ledger of {self.lake} has no run of it; does "
                "`submit` start another ringlake, or write to another lake?"
            )
        if len(after.of(self.stage)) == len(before.of(self.stage)) and not self._was_ours(context, accounts):
            context["ti"].xcom_push(key="return_value", value=accounts)
            raise AirflowSkipException(f"stage {self.stage} is up to date: {accounts['outputs']}")
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra = _of_asset(outlet, accounts)
        return accounts

    def on_kill(self) -> None:
        """Ends the stage: its time is over, or somebody ends the task."""
        if self._command is not None:
            self._command.end(self.grace_seconds)

    def _prepared(self) -> tuple[list[str], dict[str, str]]:
        try:
            words = stage_command(
                self.stage, self.lake, self.run_file, self.settings, python=self.python, submit=self.submit
            )
            env = environment({**self.env, **values_of(self.secrets)})
        except ValueError as error:
            raise AirflowFailException(str(error)) from None
        if any(redact(word) != word for word in words):
            raise AirflowFailException(
                f"the command of stage {self.stage} would have a secret of Airflow among its words, which "
                "every user of the machine can read; give it by `secrets` as an environment variable"
            )
        return words, env

    def _status(self, env: Mapping[str, str]) -> Status:
        try:
            return read_status(status_command(self.lake, python=self.python), env, self.cwd)
        except StatusError as error:
            raise _error(outcome_of(error.exit_code, retry=self.retry_exit_codes), str(error)) from None
        except subprocess.TimeoutExpired as error:
            raise AirflowException(
                f"`ringlake status {self.lake}` took longer than {error.timeout:g} s"
            ) from None
        except OSError as error:
            raise AirflowFailException(_not_started(self.python, error)) from None

    def _run(self, words: Sequence[str], env: Mapping[str, str]) -> tuple[int, str]:
        """The exit code of a command, and why it failed as far as it says so."""
        try:
            self._command = command = Command(words, env, self.cwd)
        except OSError as error:
            raise AirflowFailException(_not_started(words[0], error)) from None
        last: deque[str] = deque(maxlen=LAST_LINES)
        try:
            for line in command.lines():
                self.log.info("%s", line)
                last.append(line)
            code = command.wait()
        finally:
            command.end(self.grace_seconds)
            self._command = None
        told = [line.removeprefix(ERROR) for line in last if line.startswith(ERROR)]
        return code, told[-1] if told else (last[-1] if last else "it printed nothing")

    def _was_ours(self, context: Any, accounts: Mapping[str, Any]) -> bool:
        """Whether an earlier attempt of this task did what is up to date now, and could tell nobody."""
        is_retry = context["ti"].try_number > 1
        return is_retry and was_done_since(accounts, context["dag_run"].start_date)


def _error(outcome: Outcome, message: str) -> Exception:
    kinds = {Outcome.SKIP: AirflowSkipException, Outcome.FAIL: AirflowFailException}
    error: Exception = kinds.get(outcome, AirflowException)(message)
    return error


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _not_started(program: str, error: OSError) -> str:
    return (
        f"{program} cannot be started ({error.strerror or error}); `python` names a Python that has "
        "ringlake, `submit` a spark-submit, on the machine of the worker"
    )


def _of_asset(asset: Any, accounts: Mapping[str, Any]) -> dict[str, Any]:
    """The accounts, and of a table its version and its rows."""
    name = asset.uri.rpartition("/")[2]
    facts = {"version": accounts["outputs"].get(name), "table_rows": accounts["table_rows"].get(name)}
    return {**accounts, **facts}
