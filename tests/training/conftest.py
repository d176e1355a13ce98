"""Settings of the training tests."""

from __future__ import annotations

from hypothesis import settings

# A shared machine is slow at times: no deadline. Derandomised: a red run stays red until it is mended.
settings.register_profile("training", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("training")
