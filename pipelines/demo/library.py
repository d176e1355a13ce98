"""The library that draws the page: looked for, told to keep to itself, and only then imported."""

from __future__ import annotations

import os
from importlib.util import find_spec
from types import ModuleType

from pipelines.errors import EnvironmentProblem

_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def check_library() -> None:
    """EnvironmentProblem if gradio is not installed; it is not loaded, which takes seconds."""
    if find_spec("gradio") is None:
        raise EnvironmentProblem(
            "demo: the page is drawn by gradio, which is not installed; pip install 'ringlake[demo]'"
        )


def keep_to_itself(folder: str) -> None:
    """Sets the variables of the environment by which gradio reports to nobody.

    Those that are there could open a tunnel, name another host, or share folders: none of them counts here.

    Args:
        folder: Where it may write; else it would be one that all users of the machine share.
    """
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    os.environ.update(_QUIET, GRADIO_TEMP_DIR=folder)


def library(folder: str) -> ModuleType:
    """gradio, told to keep to itself.

    Args:
        folder: Where it may write.

    Raises:
        EnvironmentProblem: It is not installed, or does not load.
    """
    check_library()
    keep_to_itself(folder)
    try:
        import gradio
    except ImportError as error:
        raise EnvironmentProblem(
            f"demo: gradio does not load ({error}); pip install --upgrade 'ringlake[demo]'"
        ) from error
    module: ModuleType = gradio
    return module
