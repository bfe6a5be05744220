"""In which order a group moves: fixed here, and not by the inventory, so that nothing promotes before it fences."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Direction(StrEnum):
    """What is asked for. The names are stored: add, do not rename."""

    SWITCHOVER = "switchover"
    """Planned, while both sites are up: without loss."""
    FAILOVER = "failover"
    """Forced, because the site where the group ran is lost; what may be lost is stated before the word."""
    FAILBACK = "failback"
    """A switchover to where the group runs normally."""
    DRILL = "drill"
    """The standby is brought up beside the site that runs, verified, and torn down; nobody is switched."""

    @property
    def planned(self) -> bool:
        """Whether the site where the group runs takes part in it, so that nothing may be lost."""
        return self in (Direction.SWITCHOVER, Direction.FAILBACK)

    @property
    def moves(self) -> bool:
        """Whether the group runs elsewhere afterwards."""
        return self is not Direction.DRILL


class Phase(StrEnum):
    """One part of a move. The names are stored: add, do not rename."""

    ANNOUNCE = "announce"
    """The plan is on its way to those who are told before the first step."""
    STOP = "stop"
    """The old site stops by its own steps."""
    FENCE = "fence"
    """The old site is proven to have no further effect."""
    SYNC = "sync"
    """What the old site wrote last has arrived, or what is missing of it is measured and written down."""
    PROMOTE = "promote"
    START = "start"
    SWITCH = "switch"
    """The client's calls and the users come to the new site."""
    VERIFY = "verify"
    """The checks of the new site are seen OK."""
    REPORT = "report"
    """The report is on its way to all."""
    BACK = "back"
    """In place of all that would follow: the old site, stopped but not fenced, is started again."""
    UP = "up"
    """Of a drill: the standby is brought up, isolated."""
    DOWN = "down"
    """Of a drill: all that it brought up is torn down again, whatever came of it."""


_PLANNED = (
    Phase.ANNOUNCE,
    Phase.STOP,
    Phase.FENCE,
    Phase.SYNC,
    Phase.PROMOTE,
    Phase.START,
    Phase.SWITCH,
    Phase.VERIFY,
    Phase.REPORT,
)
ORDER: Mapping[Direction, tuple[Phase, ...]] = MappingProxyType(
    {
        Direction.SWITCHOVER: _PLANNED,
        Direction.FAILBACK: _PLANNED,
        Direction.FAILOVER: tuple(phase for phase in _PLANNED if phase is not Phase.STOP),
        Direction.DRILL: (Phase.ANNOUNCE, Phase.SYNC, Phase.UP, Phase.VERIFY, Phase.DOWN, Phase.REPORT),
    }
)
"""What follows what in each direction. SYNC stands behind FENCE: only what can write no more is in sync for good.
In a drill it says what would have been lost at that moment."""
