"""What ties each stage to its tables: from what the engine gives, the tables that it is to write.

A module for each stage, with a constant `BINDING`; none is loaded before its stage runs or is looked at.
"""
