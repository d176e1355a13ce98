"""Mixing: how often each document is packed, by weights of sources and languages and a token budget."""
