"""The pure floor: what was seen, what we believe, what it means. No IO, no clock, no randomness, no logging."""
