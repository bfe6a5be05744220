"""Words and layouts: data that is found by name and imported by nobody."""
