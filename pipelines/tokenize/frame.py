"""What a tokenizer puts around a text for an encoder: the special tokens of its post-processor."""

from __future__ import annotations

from tokenizers.processors import TemplateProcessing

from pipelines.tokenize.folder import parse_tokenizer, token_id


def framed(content: str, frame: str, end: str) -> str:
    """A tokenizer.json that frames a text; one that brings a frame of its own keeps it.

    Args:
        content: The tokenizer.json.
        frame: See `Examples.frame`.
        end: The token that ends a document.
    """
    tokenizer = parse_tokenizer(content, "the tokenizer")
    if tokenizer.num_special_tokens_to_add(False):
        return content
    single = frame.replace("END", end)
    tokenizer.post_processor = TemplateProcessing(
        single=single,
        pair=f"{single} {single.replace('$A', '$B').removeprefix(end).strip()}",
        special_tokens=[(end, token_id(tokenizer, end, "the tokenizer"))],
    )
    made: str = tokenizer.to_str()
    return made
