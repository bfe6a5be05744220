"""Names that must not be mixed up."""

from typing import NewType

CheckId = NewType("CheckId", str)
NodeId = NewType("NodeId", str)
"""A device or a link of the inventory: what can be up or down, and have a parent."""
IncidentId = NewType("IncidentId", str)
