"""What is installed on the simulated servers of two sites: `service`, like systemctl, and `trunk` on the edge.

It runs there as a program of its own, in the server's folder and with nothing but Python itself:

    programs.py service start|stop|is-running|is-stopped|answers NAME
    programs.py trunk lead|leads|cut|is-cut SITE

What asks exits with 0 for yes and 1 for no. Each change is noted before it is made, in the file that `LAB_EFFECTS`
names: when (seconds of CLOCK_BOOTTIME), under which token of a lease (`-`: none), where (`LAB_HOST`), what.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"
CALLS = Path("srv/recordings")
"""Where a dialler writes its calls, below the server's folder."""
CALL_BYTES = 2_000
CALL = b"GET /call"
"""How the request begins that is a call; every other one only looks whether somebody answers."""
LONGEST_WORDS = 4096
PATIENCE = 1.0
"""Seconds that a caller may take to say what it wants, and a look at a port takes at most."""
ENDS_WITHIN = 5.0
LOOK = 0.02
YES, NO, WRONG = 0, 1, 2
"""Exit codes."""


def now() -> float:
    """Return the seconds of CLOCK_BOOTTIME."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def note(what: str) -> None:
    """Note that `what` is about to be done; one line is written whole."""
    line = f"{now():.3f} {os.environ.get('RELEVE_TOKEN') or '-'} {os.environ['LAB_HOST']} {what}\n"
    descriptor = os.open(os.environ["LAB_EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def answers(port: int) -> bool:
    """Return whether anybody listens at `port`."""
    try:
        socket.create_connection((LOOPBACK, port), PATIENCE).close()
    except OSError:
        return False
    return True


def start(name: str, port: int) -> int:
    """Start the service `name` at `port`; it listens when this returns. One that runs is left alone."""
    note(f"start {name}")
    if answers(port):
        return YES
    listening = socket.create_server((LOOPBACK, port))
    pid = os.fork()
    if pid:
        Path(f"{name}.pid").write_text(str(pid))
        return YES
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    serve(listening, int(os.environ["LAB_LIFE"]))
    os._exit(0)


def serve(listening: socket.socket, life: int) -> None:
    """Answer whoever connects, and record what is a call, until the simulated world behind `life` ends."""
    count = 0
    while True:
        ready, _, _ = select.select([listening.fileno(), life], [], [])
        if life in ready:
            return
        visitor, _ = listening.accept()
        with visitor:
            visitor.settimeout(PATIENCE)
            try:
                if visitor.recv(LONGEST_WORDS).startswith(CALL):
                    count += 1
                    record(count)
                said = os.environ["LAB_HOST"].encode()
                visitor.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
            except OSError:
                continue  # whoever called has hung up


def record(count: int) -> None:
    """Write the recording of one call; its name sorts by time."""
    CALLS.mkdir(parents=True, exist_ok=True)
    (CALLS / f"{now():012.3f}-{os.getpid()}-{count:05}.wav").write_bytes(os.urandom(CALL_BYTES))


def stop(name: str, port: int) -> int:
    """End the service `name`; nobody listens at `port` when this returns. One that has ended is left alone."""
    note(f"stop {name}")
    pid = Path(f"{name}.pid")
    if pid.exists():
        with suppress(ProcessLookupError):  # it died by itself
            os.kill(int(pid.read_text()), signal.SIGKILL)
        pid.unlink()
    until = now() + ENDS_WITHIN
    while answers(port):
        if now() >= until:
            return WRONG
        time.sleep(LOOK)
    return YES


def service(verb: str, name: str) -> int:
    """Do or say what `verb` asks of the service `name`, whose port stands in the file `NAME.port`."""
    port = int(Path(f"{name}.port").read_text())
    match verb:
        case "start":
            return start(name, port)
        case "stop":
            return stop(name, port)
        case "is-running" | "answers":
            return YES if answers(port) else NO
        case "is-stopped":
            return NO if answers(port) else YES
    return WRONG


def trunk(verb: str, site: str) -> int:
    """Lead the calls to `site`, cut it off, or say whether that is so. Whoever is led to is not cut off any more."""
    led, cut = Path("leads-to"), Path(f"cut-{site}")
    match verb:
        case "leads":
            return YES if led.exists() and led.read_text() == site and not cut.exists() else NO
        case "is-cut":
            return YES if cut.exists() else NO
        case "cut":
            note(f"cut {site}")
            cut.touch()
            return YES
        case "lead":
            note(f"lead {site}")
            made = Path("leads-to.new")
            made.write_text(site)
            made.replace(led)
            cut.unlink(missing_ok=True)
            return YES
    return WRONG


def main(words: list[str]) -> int:
    """Carry out one command line; return its exit code."""
    match words:
        case ["service", verb, name]:
            return service(verb, name)
        case ["trunk", verb, site]:
            return trunk(verb, site)
    print(__doc__, file=sys.stderr)
    return WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
