"""Files as they lie somewhere: opened, decompressed within bounds, verified to their end, cut into lines."""
