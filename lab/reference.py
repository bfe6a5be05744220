"""Where the reference site's inventory lies: at the root of a checkout, inside this package once installed."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent


def reference_inventory() -> Path:
    """Return the path of the reference site's inventory, which is not to be written to."""
    packaged = HERE / "inventory.yaml"
    return packaged if packaged.exists() else HERE.parent / "inventory.yaml"
