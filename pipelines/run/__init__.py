"""The run: which stages there are, in which order, when one may be skipped, and the accounts of each."""
