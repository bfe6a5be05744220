"""Serving the application inside the daemon's own loop, on TCP and on the Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from asyncio import BaseTransport
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.core.reasons import reason
from monitor.core.text import Text, say
from monitor.web.client import LONGEST_PATH

log = logging.getLogger(__name__)

VISITORS = 64
"""Connections over the network at once; more are told to come back later."""
CROWD = 2 * VISITORS
"""Connections over the network from which on one more is told nothing: each keeps one of the files that we may have
open, which checks and messages need."""
LONGEST_VISIT = 30.0
"""Seconds after which a visitor over the network who is not being answered is shown out, whatever he dribbles."""
PEER = "uid"
"""`scope["client"]` of a request over the Unix socket is `("uid", <the peer's uid>)`."""


class CannotListen(Exception):
    """The address is taken or not ours; `text` says which and what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


class _KnowsItsPeer(H11Protocol):
    """HTTP/1.1 whose requests over a Unix socket carry the peer's uid, as the kernel gives it (SO_PEERCRED).

    Who comes over the network may stay for a while only.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Any, transport))
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family == socket.AF_UNIX:
            _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            self.client = (PEER, uid)
        elif len(self.connections) > CROWD:
            cast(Any, transport).abort()
        else:
            self.loop.call_later(LONGEST_VISIT, self._show_out)

    def _show_out(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.loop.call_later(LONGEST_VISIT, self._show_out)
        else:
            self.transport.close()


class _InOurLoop(uvicorn.Server):
    """A server that leaves the signals to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, network: socket.socket, local: socket.socket) -> AsyncIterator[None]:
    """Serve `app` on both sockets as long as the context lasts; `network` never takes the places of `local`."""
    servers = {_server(app, VISITORS): network, _server(app, None): local}
    tasks = [asyncio.create_task(server.serve(sockets=[sock]), name="web") for server, sock in servers.items()]
    try:
        yield
    finally:
        for server in servers:
            server.should_exit = True
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            if error is not None:
                log.error("serving failed", exc_info=error, extra={"event": "web_failed"})


def _server(app: ASGIApp, most: int | None) -> uvicorn.Server:
    return _InOurLoop(
        uvicorn.Config(
            app,
            http=_KnowsItsPeer,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # a forged X-Forwarded-For must not pass for a peer of the Unix socket
            limit_concurrency=most,
            backlog=CROWD,  # as many are let in at one turn of the loop
            timeout_keep_alive=5,
            timeout_graceful_shutdown=2,
        )
    )


def tcp_socket(listen: str) -> socket.socket:
    """Return a socket bound to `HOST:PORT`. Raises CannotListen."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        raise CannotListen(say("{address} is not HOST:PORT, such as 127.0.0.1:8321", address=listen))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, int(port)))
    except (OSError, OverflowError) as error:
        sock.close()
        raise CannotListen(
            say(
                "cannot listen on {address}: {why}. Stop what holds it, or choose another with --listen",
                address=listen,
                why=reason(error),
            )
        ) from error
    return sock


def unix_socket(path: Path) -> socket.socket:
    """Return a socket bound to `path`, for its owner and root only. The caller holds the writer lock of the folder.

    Raises CannotListen.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        text = say("the path {path} is too long for a socket: choose a shorter folder with --data", path=str(path))
        raise CannotListen(text)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise CannotListen(say("cannot make the socket {path}: {why}", path=str(path), why=reason(error))) from error
    finally:
        os.umask(before)
    return sock
