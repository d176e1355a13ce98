"""Checkpoints: whole or not there, of one training, written while it goes on."""
