"""Tokenizing: a byte-level BPE trained on a deterministic sample, and every document as token ids."""
