"""Benchmarks: commands that measure ringlake on this machine and say what the machine was."""
