"""The feed of an open store: turned on and off, read by whoever sends it, ended with every transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from monitor.clock import SystemClock
from monitor.store import feed
from monitor.store.feed import Extent, Piece, Standing

R = TypeVar("R")
Work = Callable[[Callable[[Connection], Any]], Any]


class Feeding:
    """What `Store.feed` is. Every method may raise StoreError, like those of the store, and belongs to its thread."""

    def __init__(self, read: Work, change: Work) -> None:
        self._read, self._change = read, change
        self._on = False

    def mend(self, connection: Connection) -> None:
        """Take up the feed as the last writer left it.

        Where its triggers are not whole (a migration made a table anew), nobody knows what was missed: it begins anew.
        """
        if feed.has_any(connection) and not feed.is_on(connection):
            feed.begin(connection)
        self._on = feed.is_on(connection)

    def end(self, connection: Connection) -> None:
        """Mark the end of a transaction that is about to be committed."""
        if self._on:
            feed.end(connection, SystemClock().now())

    def start(self, token: int = 0) -> Standing:
        """Write every change down from now on, under a lease with `token` (0: under none); return whose they are.

        A feed that goes on already goes on.
        """

        def work(connection: Connection) -> Standing:
            if not feed.is_on(connection):
                return feed.begin(connection, token)
            feed.raise_token(connection, token)
            known = feed.standing(connection)
            return known if known is not None else feed.begin(connection, token)

        standing: Standing = self._change(work)
        self._on = True
        return standing

    def stop(self) -> None:
        """Write no changes down any more: there is no copy, or it is too far behind and needs all of the state."""
        if self._on:
            self._change(feed.stop)
            self._on = False

    @property
    def on(self) -> bool:
        """Whether changes are written down."""
        return self._on

    def standing(self) -> Standing | None:
        """Return whose changes these are; None when the feed was never turned on."""
        found: Standing | None = self._read(feed.standing)
        return found

    def after(self, cursor: int, most: int) -> Piece | None:
        """Return what comes after row `cursor`, as `monitor.store.feed.after`."""
        found: Piece | None = self._read(lambda connection: feed.after(connection, cursor, most))
        return found

    def forget(self, acknowledged: int) -> None:
        """Forget the rows up to `acknowledged`, which the copy has."""
        self._change(lambda connection: feed.forget(connection, acknowledged))

    def extent(self) -> Extent:
        """Return how much waits to be sent, and what was sent and is not forgotten yet."""
        found: Extent = self._read(feed.extent)
        return found
