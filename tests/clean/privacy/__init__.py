"""Personal data and secrets: what goes, what stays, and how long the look takes."""
