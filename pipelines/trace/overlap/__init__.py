"""Which documents share the longest passages with a text: an index of sampled n-grams over `tokens`."""
