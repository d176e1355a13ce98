"""What is missing is told in a line, before a model is loaded."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.demo import library, run
from pipelines.demo.serve import HOST, taken
from pipelines.errors import EnvironmentProblem, InputError
from tests.predict.test_commands import call


def test_without_the_library_its_extra_is_named(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentProblem) as caught:
        call("demo", models["classify"])
    assert str(caught.value).endswith("pip install 'ringlake[demo]'")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_port_that_is_taken_is_told() -> None:
    with closing(socket.socket()) as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=f"port {port} of 127.0.0.1 is in use; name another"):
            taken(port)
    with closing(taken(port)) as held:
        assert held.getsockname() == ("127.0.0.1", port)


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_a_wrong_port_is_a_wrong_command_line(port: str) -> None:
    assert call("demo", "M", "--port", port).exit_code == 2


def test_what_is_no_model_is_told_before_anything_is_loaded(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "check_library", lambda: None)
    with closing(taken_any()) as held:
        port = held.getsockname()[1]
    with pytest.raises(InputError, match="no/such/model is no model folder"):
        call("demo", "no/such/model", "--port", str(port))
    with pytest.raises(InputError, match=r"--source-language is for translations; .* is a bert to classify"):
        call("demo", models["classify"], "--port", str(port), "--source-language", "de_DE")


def taken_any() -> socket.socket:
    found = socket.socket()
    found.bind((HOST, 0))
    return found


def test_variables_of_the_library_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SHARE", "True")
    monkeypatch.setenv("GRADIO_ALLOWED_PATHS", "/")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.setenv("HF_HUB_OFFLINE", os.environ.get("HF_HUB_OFFLINE", "0"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    library.keep_to_itself("own")
    found = {name: value for name, value in os.environ.items() if name.startswith("GRADIO_")}
    assert found == {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": "own"}
