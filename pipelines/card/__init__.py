"""The dataset card: what a corpus is made of, what was left out and why, in Markdown and JSON."""
