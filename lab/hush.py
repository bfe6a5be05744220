"""Being there and saying nothing, as a hung server does."""

from __future__ import annotations

import asyncio


class Hushable:
    """A server that can fall silent: while it is, its handlers wait at `speaks`."""

    def __init__(self) -> None:
        self.speaks = asyncio.Event()
        self.speaks.set()

    @property
    def silent(self) -> bool:
        """Whether it keeps quiet."""
        return not self.speaks.is_set()

    @silent.setter
    def silent(self, silent: bool) -> None:
        if silent:
            self.speaks.clear()
        else:
            self.speaks.set()
