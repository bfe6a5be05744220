"""What systemd is told (sd_notify(3)) and asks for (watchdog); silent where nobody listens."""

from __future__ import annotations

import os
import socket


def notify(*lines: str, wait: bool = True) -> bool:
    """Send `lines` (`READY=1`, `WATCHDOG=1`, `STATUS=...`) to the service manager; return whether it was taken.

    Without `wait`, a manager that stands still, its queue full, is told nothing and holds nobody up.
    """
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return False
    address = "\0" + place[1:] if place.startswith("@") else place
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(address)
            sock.send("\n".join(lines).encode(), 0 if wait else socket.MSG_DONTWAIT)
        except OSError:
            return False  # a manager that went away is no reason to stop watching the site
    return True


def watchdog_interval() -> float | None:
    """Return the seconds between two signs of life: a third of what the unit allows; None without a watchdog."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    if not limit.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(limit) / 3_000_000
