"""Decontamination: documents that overlap evaluation sets in word n-grams leave the corpus."""
