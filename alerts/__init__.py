"""Alerts: who must be told what, by when, and the way it gets there."""
