"""Repeats: lines or paragraphs that many documents share are dropped from all but one, or from all."""
