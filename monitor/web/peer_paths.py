"""The paths about the other Relève, as the description of the API has them."""

from __future__ import annotations

READS = {"/api/v1/peer": "Since when this Relève is the active one, how its lease stands, and how far the other is."}
ACTS = {"/api/v1/peer/hand-over": "Make the Relève at the other site the active one."}
