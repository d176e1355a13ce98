"""What other tools read of a lake or of its model."""
