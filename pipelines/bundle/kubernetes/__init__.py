"""Manifests for Kubernetes: the job of a run file as a Job that submits it, and as a SparkApplication."""
