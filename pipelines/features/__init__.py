"""Classical features of the corpus by Spark ML: stop words, TF-IDF, word vectors."""
