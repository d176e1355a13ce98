"""Deduplication: exact, then near by MinHash LSH and connected components, then the split."""
