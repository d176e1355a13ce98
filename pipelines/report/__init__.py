"""The report of a lake: one HTML file without scripts or requests, drawn from tables and ledger."""
