"""The Spark side of ringlake: raw files become tables of packed sequences, then a trained model."""
