"""Personal data and secrets in texts: one detector a file, and the redactor that runs them."""
