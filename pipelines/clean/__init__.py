"""Documents to clean text: repaired, judged by named rules with published thresholds, redacted."""
