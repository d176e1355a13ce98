"""What a model saw and where it came from, from the tables and the sample plan alone: no JVM."""
