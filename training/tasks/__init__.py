"""What a model is for: how its examples are computed, learned from and used."""
