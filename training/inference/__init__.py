"""Using a model folder: texts written, translated, classified, answered from or embedded, a batch at a time.

A verb has a module; `open_predictor` gives its predictor. Nothing here knows files, tables or Spark.
"""
