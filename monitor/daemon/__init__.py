"""The composition root: it wires everything and owns the loop and the clock."""
