"""The page in a real browser: it loads, answers and streams; no other host is asked, no markup is obeyed."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.generate import GenerateConfig
from tests.demo.chromium import CHROMIUM, Browser
from tests.demo.environment import site as installed
from tests.demo.scripted import scripted
from tests.demo.served import Served, served, status
from training.inference.generate import Writer
from training.inference.options import Options
from training.inference.predictor import Prediction

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium on PATH to open the page with (apt-get install chromium)"
    ),
]

HOSTILE = '<img src="http://host.example/x.png" onerror="window.owned = 1"><b id="bold">**x**</b>'
IDLE = "document.querySelector('#answer [data-testid=status-tracker]').classList.contains('hide')"
WORDS = [f" word{number}" for number in range(100)]


@pytest.fixture(scope="session")
def site() -> Path:
    return installed()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as found:
        yield found


def check_alone(page: Served, browser: Browser) -> None:
    """Page and server kept to this machine, and the page to its policy."""
    assert [url for url in browser.requests if not url.startswith(page.url)] == []
    assert len(browser.requests) > 5
    assert [line for line in browser.console if line.startswith(("error", "exception"))] == []
    assert not browser.run("window.owned || document.querySelector('#bold')")
    for line in page.notes.read_text().splitlines():
        assert "127.0.0.1" in line or "localhost" in line, line


def grown(browser: Browser, script: str, last: str) -> list[str]:
    """The values of a script until it is the last one, each once."""
    found: list[str] = []
    deadline = time.monotonic() + 240
    while not found or found[-1] != last:
        assert time.monotonic() < deadline, (found[-3:], browser.console)
        value = browser.run(script)
        if value and (not found or value != found[-1]):
            found.append(value)
    return found


def test_a_classifier(models: dict[str, Path], site: Path, tmp_path: Path, browser: Browser) -> None:
    folder = Path(shutil.copytree(models["classify"], tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": HOSTILE, "1": "good", "2": "[odd](http://host.example/)"}
    (folder / "config.json").write_text(json.dumps(config))
    with served(folder, site, tmp_path) as page:
        assert page.listening() == [("127.0.0.1", page.port)]
        browser.open(page.url)
        browser.type("#ask-text textarea", "the quick brown fox")
        browser.click("#ask")
        browser.wait("/%/.test(document.querySelector('#answer').innerText)")
        shown = browser.run("document.querySelector('#answer').innerText")
        assert HOSTILE in shown and "[odd](http://host.example/)" in shown
        shares = [int(found) for found in re.findall(r"(\d+)%", shown)]
        assert len(shares) == 3 and abs(sum(shares) - 100) <= 2
        assert browser.value("#note textarea") == ""

        browser.type("#ask-text textarea", " ")
        browser.click("#ask")
        browser.wait("!!document.querySelector('#note textarea')?.value")
        assert browser.value("#note textarea") == "'text' has no visible character (empty)"
        check_alone(page, browser)

        for method, path in (
            ("POST", "/gradio_api/upload"),
            ("GET", f"/gradio_api/file={folder / 'config.json'}"),
            ("GET", "/gradio_api/proxy=http://host.example/"),
            ("POST", "/gradio_api/run/predict"),
        ):
            assert status(page.port, method, path) == 404
        assert status(page.port, "GET", "/", host="host.example") == 421


def test_a_writer(site: Path, tmp_path: Path, browser: Browser) -> None:
    words = [*WORDS[:20], HOSTILE, *WORDS[20:]]
    whole = "".join(words)
    folder = scripted(tmp_path / "model", words)
    (known,) = Writer(str(folder), Options(generate=GenerateConfig(max_new_tokens=200))).predict(
        [{"prompt": "the"}]
    )
    assert isinstance(known, Prediction) and known.value == whole
    value = "document.querySelector('#answer textarea').value"
    settings = ("--set", "generate.max_new_tokens=200")
    with served(folder, site, tmp_path, *settings, pause=0.1) as page:
        browser.open(page.url)
        browser.type("#ask-prompt textarea", "the")
        browser.click("#ask")
        browser.wait(f"{value}.includes({WORDS[1]!r})")
        browser.click("#stop")
        browser.wait(IDLE)
        stopped = browser.run(value)
        assert whole.startswith(stopped) and stopped != whole
        assert not browser.run("document.querySelector('#note textarea')?.value")

        browser.click("#ask")
        texts = grown(browser, value, whole)
        assert len(texts) > 5
        # The beginning of the stopped text may still be there.
        texts = texts[1:]
        assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
        check_alone(page, browser)

        # Ctrl-C while a text is written and a page is open.
        browser.open(page.url)
        browser.type("#ask-prompt textarea", "fox")
        browser.click("#ask")
        browser.wait(f"{value}.includes({WORDS[1]!r})")
        code, out = page.interrupt()
        assert (code, out) == (0, "ended\n")
        assert (tmp_path / "errors").read_text() == ""
        with pytest.raises(ConnectionRefusedError):
            status(page.port, "GET", "/")


def test_a_chat(site: Path, tmp_path: Path, browser: Browser) -> None:
    words = [" an", " answer", f" {HOSTILE}", " <think>", " of", " words"]
    folder = scripted(tmp_path / "model", words, chat=True)
    answer = "".join(words).strip()
    selector = "#answer [data-testid=user], #answer [data-testid=bot]"
    bubbles = f"[...document.querySelectorAll({selector!r})].map(e => e.innerText.trim())"
    with served(folder, site, tmp_path, pause=0.2) as page:
        browser.open(page.url)
        browser.type("#ask-message textarea", f"Hello {HOSTILE}")
        browser.click("#ask")
        texts = grown(browser, f"{bubbles}[1]", answer)
        assert len(texts) > 2
        assert browser.run(f"{bubbles}[0]") == f"Hello {HOSTILE}"
        assert browser.value("#ask-message textarea") == ""
        browser.wait(IDLE)
        browser.type("#ask-message textarea", "And now?")
        browser.click("#ask")
        browser.wait(f"{bubbles}.length == 4 && {bubbles}[3] == {bubbles}[1]")
        browser.click("#new")
        browser.wait(f"{bubbles}.length == 0")
        browser.wait(IDLE)

        # A new chat while an answer is written: nothing of it comes after.
        browser.type("#ask-message textarea", "And now?")
        browser.click("#ask")
        browser.wait(f"{bubbles}.length == 2 && {bubbles}[1].includes({words[1].strip()!r})")
        browser.click("#new")
        browser.wait(f"{bubbles}.length == 0")
        browser.wait(IDLE)
        assert browser.run(f"{bubbles}.length") == 0
        check_alone(page, browser)


def test_a_port_that_is_taken(models: dict[str, Path], site: Path, tmp_path: Path) -> None:
    with served(models["embed"], site, tmp_path) as page:
        from tests.support.cli import ringlake

        done = ringlake(
            "demo", models["embed"], "--port", str(page.port), code=4, env={"PYTHONPATH": f"{site}"}
        )
        assert done.stderr.splitlines() == [
            f"ringlake: error: demo: port {page.port} of 127.0.0.1 is in use; name another with --port"
        ]
