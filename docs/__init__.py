"""The documentation, and what makes the part of it that follows from the code (`python -m docs`)."""
