"""Models: built, started from other weights, checked against their tokenizer, exported."""
