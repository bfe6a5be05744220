"""The HTTP side: health, metrics and the local API."""
