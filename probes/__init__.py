"""Probes: one file, one object, one line in the registry. `observe` does the IO, `judge` the thinking."""
