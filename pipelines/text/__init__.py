"""Text, below all stages: characters, words and shingles, normal forms, repair, what people are shown."""
