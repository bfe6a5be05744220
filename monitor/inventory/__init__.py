"""The inventory: what there is, how it is reached, what is watched, who is told."""
