"""What every part stands on: files on any file system, hashes, seeds, the keyed permutation, our own sources.

Imports nothing else of ours.
"""
