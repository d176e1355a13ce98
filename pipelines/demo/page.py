"""The page: components of gradio around what `answers.py` and `writing.py` say. A model's words are text."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from conf.generate import GenerateConfig
from pipelines.demo import answers, writing
from pipelines.demo.desk import Desk
from pipelines.demo.shown import Shown
from pipelines.demo.turns import Turns
from training.errors import DataError
from training.inference.generate import Writer
from training.inference.options import Verb
from training.inference.predictor import Predictor

T = TypeVar("T")

MOST_WAITING = 16
"""Questions that may wait for their turn; one more is told that the queue is full."""

MOST_SESSIONS = 64
"""Open pages whose chats are remembered, the newest ones."""

MOST_LABELS = 10
"""Labels that are shown, the likeliest first."""

_CSS = """
footer { display: none !important }
#answer .message-content .md { white-space: pre-wrap }
#note textarea { color: var(--error-text-color); background: var(--error-background-fill) }
.gradio-container { width: 100% !important; max-width: 60rem !important; margin: 0 auto !important }
"""


def page(gr: Any, desk: Desk, verb: Verb, predictor: Predictor, about: str, base: GenerateConfig) -> Any:
    """The page of a model.

    Args:
        gr: The library.
        desk: Asks the model.
        verb: What it is asked for.
        predictor: The opened model.
        about: Which model it is, in a line.
        base: How texts are written where the page does not say.
    """
    with gr.Blocks(title="ringlake demo", analytics_enabled=False) as blocks:
        if isinstance(predictor, Writer):
            draw = _chat if predictor.chats else _prompt
            _heading(gr, "Chat" if predictor.chats else "Continue a text", about)
            draw(gr, desk, predictor, base)
        else:
            _heading(gr, answers.FORMS[verb].heading, about)
            _form(gr, desk, verb, predictor)
    blocks.queue(max_size=MOST_WAITING, default_concurrency_limit=1, api_open=False)
    blocks.state_session_capacity = MOST_SESSIONS
    return blocks


def application(gr: Any, blocks: Any) -> Any:
    """The page as an ASGI application without an API, links elsewhere, sharing, or a record of questions."""
    from fastapi import FastAPI

    return gr.mount_gradio_app(
        FastAPI(openapi_url=None, docs_url=None, redoc_url=None),
        blocks,
        path="/",
        server_name="127.0.0.1",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=1,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        # Fonts of the reader's own machine: none is fetched.
        theme=gr.themes.Default(
            primary_hue="blue",
            font=[gr.themes.Font(name) for name in ("system-ui", "sans-serif")],
            font_mono=[gr.themes.Font(name) for name in ("ui-monospace", "monospace")],
        ),
        css=_CSS,
    )


def _heading(gr: Any, heading: str, about: str) -> None:
    # In a code span nothing is markup, and nothing ends it but a backtick.
    gr.Markdown(f"# {heading}\n`{' '.join(about.replace('`', chr(39)).split())}`")


def _note(gr: Any) -> Any:
    return gr.Textbox(
        label="No answer", visible=False, interactive=False, lines=1, max_lines=5, elem_id="note"
    )


def _noted(gr: Any, shown: Shown) -> Any:
    return gr.update(value=shown.note, visible=bool(shown.note))


def _form(gr: Any, desk: Desk, verb: Verb, predictor: Predictor) -> None:
    """Texts, a button, and the answer below them."""
    form = answers.FORMS[verb]
    texts = [
        gr.Textbox(
            label=field.label,
            placeholder=field.placeholder,
            lines=field.lines,
            max_lines=max(20, field.lines) if field.lines > 1 else 1,
            autofocus=number == 0,
            elem_id=f"ask-{field.name}",
        )
        for number, field in enumerate(form.fields)
    ]
    button = gr.Button(form.button, variant="primary", elem_id="ask")
    if verb == "classify":
        result = gr.Label(label=form.result, num_top_classes=MOST_LABELS, elem_id="answer")
    else:
        result = gr.Textbox(label=form.result, lines=2, max_lines=20, interactive=False, elem_id="answer")
    score = gr.Textbox(label="Probability", visible=form.has_score, interactive=False, elem_id="score")
    note = _note(gr)

    def asked(*values: str | None) -> tuple[Any, str, Any]:
        given = [value or "" for value in values]
        shown = desk.ask(lambda: answers.answer(verb, predictor, given))
        found = _summed(shown.shares) if verb == "classify" else shown.text
        return found, "" if shown.score is None else f"{shown.score:.1%}", _noted(gr, shown)

    _on(gr, [button.click, *(text.submit for text in texts)], asked, texts, [result, score, note])


def _summed(shares: tuple[tuple[str, float], ...]) -> dict[str, float]:
    """Probabilities by label; labels of one name, which nobody could tell apart, have theirs together."""
    found: dict[str, float] = {}
    for label, share in shares:
        found[label] = found.get(label, 0.0) + share
    return found


def _settings(gr: Any, writer: Writer, base: GenerateConfig) -> list[Any]:
    """How a text is written, folded away."""
    most = writing.most_new_tokens(writer)
    with gr.Accordion("How it writes", open=False):
        with gr.Row():
            length = gr.Slider(
                1,
                most,
                value=min(writer.num_new_tokens, most),
                step=1,
                label="Tokens at most",
                elem_id="length",
            )
            temperature = gr.Slider(
                0, 2, value=base.temperature, step=0.05, label="Temperature (0: the likeliest text)"
            )
        with gr.Row():
            top_p = gr.Slider(
                0.05, 1, value=base.top_p, step=0.05, label="Top-p (share of probability to draw from)"
            )
            seed = gr.Number(
                value=base.seed,
                minimum=0,
                maximum=2**32 - 1,
                precision=0,
                label="Seed (another: another text)",
            )
    return [length, temperature, top_p, seed]


def _prompt(gr: Any, desk: Desk, writer: Writer, base: GenerateConfig) -> None:
    """A prompt, and what follows it while it is written."""
    prompt = gr.Textbox(
        label="Beginning",
        placeholder="Return the",
        lines=4,
        max_lines=20,
        autofocus=True,
        elem_id="ask-prompt",
    )
    with gr.Row():
        button = gr.Button("Write on", variant="primary", scale=3, min_width=90, elem_id="ask")
        stop = gr.Button("Stop", min_width=90, elem_id="stop")
    result = gr.Textbox(label="What follows", lines=6, max_lines=30, interactive=False, elem_id="answer")
    note = _note(gr)
    values = _settings(gr, writer, base)

    turns = Turns()

    def written(request: Any, text: str | None, *numbers: float) -> Iterator[tuple[str, Any]]:
        try:
            config = writing.settings(base, *numbers)
        except DataError as error:
            yield "", _noted(gr, Shown(note=str(error)))
            return
        with turns.of(request.session_hash) as turn:
            for shown in writing.continuation(desk, turn, writer, config, text or ""):
                yield shown.text, _noted(gr, shown)

    _on(gr, [button.click, prompt.submit], _of_page(gr, written), [prompt, *values], [result, note])
    _stops(gr, stop.click, turns)


def _chat(gr: Any, desk: Desk, writer: Writer, base: GenerateConfig) -> None:
    """Messages, and the answer while it is written. The server keeps them: the browser only shows them."""
    messages = gr.State([])
    shown_messages = gr.Chatbot(
        label="Chat",
        height=360,
        buttons=[],
        feedback_options=None,
        render_markdown=False,
        sanitize_html=True,
        latex_delimiters=[],
        allow_file_downloads=False,
        elem_id="answer",
    )
    note = _note(gr)
    said = gr.Textbox(
        label="Message",
        placeholder="Type a message; Enter sends it.",
        lines=1,
        max_lines=10,
        autofocus=True,
        elem_id="ask-message",
    )
    with gr.Row():
        button = gr.Button("Send", variant="primary", scale=3, min_width=90, elem_id="ask")
        stop = gr.Button("Stop", min_width=90, elem_id="stop")
        new = gr.Button("New chat", min_width=90, elem_id="new")
    values = _settings(gr, writer, base)

    turns = Turns()

    def talked(
        request: Any, before: list[Any], text: str | None, *numbers: float
    ) -> Iterator[tuple[Any, ...]]:
        try:
            config = writing.settings(base, *numbers)
        except DataError as error:
            yield before, _bubbles(before), text, _noted(gr, Shown(note=str(error)))
            return
        with turns.of(request.session_hash) as turn:
            for after, shown in writing.conversation(desk, turn, writer, config, before, text or ""):
                box = text if len(after) == len(before) else ""
                yield after, _bubbles(after), box, _noted(gr, shown)

    _on(
        gr,
        [button.click, said.submit],
        _of_page(gr, talked),
        [messages, said, *values],
        [messages, shown_messages, said, note],
    )
    _stops(gr, stop.click, turns)
    for begin_anew in (new.click, shown_messages.clear):
        # What the answer told until it was stopped has been shown by then.
        _stops(gr, begin_anew, turns).then(
            lambda: ([], [], _noted(gr, Shown())),
            None,
            [messages, shown_messages, note],
            api_visibility="private",
        )


def _bubbles(messages: list[Any]) -> list[Any]:
    """Messages as the library shows them: as HTML, even where it is told not to read Markdown.

    A bare text would lose the spaces at the beginning of its lines.
    """
    return [
        {
            "role": message["role"],
            "content": [{"type": "text", "text": html.escape(message["content"], quote=False)}],
        }
        for message in messages
    ]


def _of_page(gr: Any, work: Callable[..., T]) -> Callable[..., T]:
    """`work`, whose first argument the library gives it: which open page asks."""
    # The library goes by the annotation, and is not imported where the function is defined.
    work.__annotations__["request"] = gr.Request
    return work


def _stops(gr: Any, trigger: Callable[..., Any], turns: Turns) -> Any:
    """An event that ends the text which the same page waits for.

    The library can cancel events itself; an answer that sends its next piece at that moment is then shown as
    an error. Here the text ends as all texts do, only earlier.
    """

    def stopped(request: Any) -> None:
        turns.leave(request.session_hash)

    return trigger(
        _of_page(gr, stopped),
        None,
        None,
        show_progress="hidden",
        concurrency_limit=MOST_WAITING,
        api_visibility="private",
    )


def _on(gr: Any, triggers: list[Any], work: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> Any:
    """An event on which the model is asked; a second press while it answers is none."""
    return gr.on(
        triggers,
        work,
        inputs,
        outputs,
        trigger_mode="once",
        # They wait at the desk, where they can be stopped too.
        concurrency_limit=MOST_WAITING,
        concurrency_id="model",
        show_progress="minimal",
        api_visibility="private",
    )
