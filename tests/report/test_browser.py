"""The report in a real browser without a network: it renders, and the console stays silent."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.lake import Lake

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="no chromium on PATH to render the report with (apt-get install chromium)",
)


def browse(page: Path, profile: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Opens a file with every host name unresolvable, console messages on standard error."""
    return subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            *more,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def test_it_renders_and_the_console_is_silent(whole_lake: Lake, tmp_path: Path) -> None:
    done = browse(Path(str(whole_lake.report)), tmp_path / "profile", "--dump-dom")
    assert '<dd class="figure" id="tile-in">40</dd>' in done.stdout
    assert "CONSOLE" not in done.stderr
    assert "<script" not in done.stdout


def test_the_console_would_tell(whole_lake: Lake, tmp_path: Path) -> None:
    source = whole_lake.report.read_text()
    bad = tmp_path / "bad.html"
    bad.write_text(source.replace("<main", '<img src="http://host.example/x.png"><main', 1), encoding="utf-8")
    done = browse(bad, tmp_path / "profile", "--dump-dom")
    assert "CONSOLE" in done.stderr
    assert "Content Security Policy" in done.stderr


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_of_the_window(whole_lake: Lake, tmp_path: Path, width: int) -> None:
    # Only the browser can measure; the policy forbids scripts in the page, so a copy without one is asked.
    source = whole_lake.report.read_text()
    measured = tmp_path / "measured.html"
    script = "<script>document.title = document.documentElement.scrollWidth + ' of ' + innerWidth</script>"
    policy = source[source.index('<meta http-equiv="Content-Security-Policy"') :].partition(">")[0] + ">"
    measured.write_text(source.replace(policy, "").replace("</body>", script + "</body>"), encoding="utf-8")
    done = browse(measured, tmp_path / "profile", "--dump-dom", f"--window-size={width},900")
    title = done.stdout.partition("<title>")[2].partition("</title>")[0]
    scrolled, _, window = title.partition(" of ")
    assert int(scrolled) <= int(window), title
