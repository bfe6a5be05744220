"""Runbooks: repairs as data, each step with its effect, its proof and its budget. None is delivered yet."""
