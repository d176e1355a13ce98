"""Tokenizing: a BPE or Unigram trained on a deterministic sample, and every document as token ids."""
