"""Packing: documents as token ids become fixed-length sequences in a global shuffle."""
