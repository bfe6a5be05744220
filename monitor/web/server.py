"""Serving the application inside the daemon's own loop, on TCP and on the Unix socket."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from asyncio import BaseTransport
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.core.text import Text, say

PEER = "uid"
"""`scope["client"]` of a request over the Unix socket is `("uid", <the peer's uid>)`."""


class CannotListen(Exception):
    """The address is taken or not ours; `text` says which and what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


class _KnowsItsPeer(H11Protocol):
    """HTTP/1.1 whose requests over a Unix socket carry the peer's uid, as the kernel gives it (SO_PEERCRED)."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Any, transport))
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family == socket.AF_UNIX:
            _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            self.client = (PEER, uid)


class _InOurLoop(uvicorn.Server):
    """A server that leaves the signals to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for `app`; `await server.serve(sockets=[...])` runs it until `should_exit`."""
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
            limit_concurrency=64,
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
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise CannotListen(
            say(
                "cannot listen on {address}: {why}. Stop what holds it, or choose another with --listen",
                address=listen,
                why=why,
            )
        ) from error
    return sock


def unix_socket(path: Path) -> socket.socket:
    """Return a socket bound to `path`, for its owner and root only. The caller holds the writer lock of the folder."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise CannotListen(
            say("cannot make the socket {path}: {why}", path=str(path), why=error.strerror or str(error))
        ) from error
    finally:
        os.umask(before)
    return sock
