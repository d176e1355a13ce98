"""What the model is measured against: count-based language models on the same tokens."""
