"""What of a run is written elsewhere: a summary, events of OpenLineage, figures for Prometheus."""
