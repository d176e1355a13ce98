"""A local page to try one model: `ringlake demo`.

`answers.py` and `writing.py` say what a model says, `desk.py` asks it one thing at a time; none of them knows
the page. `page.py` draws it with gradio; `guard.py` and `serve.py` let this machine's browser alone reach it.
"""
