"""`python -m docs`: writes the pages of `docs/reference/` from the code, as `make reference` does."""

from __future__ import annotations

import sys

from docs.pages import FOLDER, pages, stale


def main() -> int:
    """Writes every page that is not as the code has it, removes those that are none, and names both."""
    made = pages()
    FOLDER.mkdir(exist_ok=True)
    for name in stale(made):
        if name in made:
            (FOLDER / name).write_text(made[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
        sys.stdout.write(f"{'wrote' if name in made else 'removed'} docs/reference/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
