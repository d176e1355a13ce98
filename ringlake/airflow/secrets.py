"""Secrets from Airflow's connections and variables, for the environment of a command and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from airflow.sdk import Connection, Variable
from airflow.sdk.log import mask_secret

FIELDS = ("login", "password", "host", "port", "schema")
"""Fields of a connection that may be named; besides, `extra.KEY`."""

VARIABLE = "variable:"


def check_places(secrets: Mapping[str, str]) -> None:
    """Looks at the places of secrets, when a DAG is parsed.

    Args:
        secrets: See `values_of`.

    Raises:
        ValueError: One is neither a field of a connection nor a variable.
    """
    for name, place in secrets.items():
        _, _, field = place.partition(".")
        if place.startswith(VARIABLE) or field in FIELDS or field.startswith("extra."):
            continue
        raise ValueError(
            f"secrets[{name!r}] is {place!r}; it is CONNECTION.FIELD with the field "
            f"{', '.join(FIELDS)} or extra.KEY, or variable:NAME"
        )


def values_of(secrets: Mapping[str, str]) -> dict[str, str]:
    """The values of secrets, which from now on are masked in the logs of the task.

    Args:
        secrets: Place of the value of each environment variable: `CONNECTION.FIELD` or `variable:NAME`.

    Raises:
        ValueError: The connection has no such field.
        AirflowNotFoundException: There is no such connection.
        AirflowRuntimeError: There is no such variable.
    """
    values = {}
    for name, place in secrets.items():
        value = _value(place)
        if value in (None, ""):
            raise ValueError(f"secrets[{name!r}]: {place!r} has no value; fill it in, or name another place")
        mask_secret(str(value))
        values[name] = str(value)
    return values


def _value(place: str) -> object:
    if place.startswith(VARIABLE):
        return Variable.get(place.removeprefix(VARIABLE))
    name, _, field = place.partition(".")
    connection = Connection.get(name)
    if field.startswith("extra."):
        return connection.extra_dejson.get(field.removeprefix("extra."))
    return getattr(connection, field)
