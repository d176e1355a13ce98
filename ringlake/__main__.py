"""`ringlake` and `python -m ringlake`: the command line, whatever packages the working directory has."""

from __future__ import annotations

import warnings


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ringlake  # noqa: F401 - it claims the names of the packages
    from pipelines.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
