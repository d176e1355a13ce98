"""Daily batches: what is new or changed becomes a lake of its own, and then, once, part of the lake."""
