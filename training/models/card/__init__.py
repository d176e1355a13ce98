"""The README of a model folder: what the model is, how it was made and is opened, what it is not good for."""
