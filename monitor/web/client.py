"""The command line's end of the local API: HTTP over the daemon's Unix socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any

SOCKET = "releve.sock"
TIMEOUT = 30.0
LONGEST_PATH = 107
"""Bytes of a Unix socket's path (unix(7): 108 with the zero at the end)."""


class NoDaemon(Exception):
    """Nobody listens at the socket: no daemon runs on this data folder."""


class NotOurs(Exception):
    """The data folder, or the daemon's socket in it, is another user's."""


class ApiError(Exception):
    """The daemon refused: `status` is HTTP's, the message is the daemon's own sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        if len(os.fsencode(self._path)) > LONGEST_PATH:
            raise FileNotFoundError(str(self._path))  # no daemon can listen there
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class LocalApi:
    """The daemon that works on the data folder `data`; every call is one connection."""

    def __init__(self, data: Path, language: str = "", timeout: float = TIMEOUT) -> None:
        self._path, self._language, self._timeout = data / SOCKET, language, timeout

    def get(self, path: str) -> Any:
        """Return the JSON at `path` (`/api/v1/status`). Raises NoDaemon or ApiError."""
        return self._call("GET", path, None)

    def fetch(self, path: str) -> bytes:
        """Return what lies at `path`, as it is. Raises NoDaemon or ApiError."""
        status, raw = self._exchange("GET", path, None)
        if status >= 400:
            self._json(status, raw)
        return raw

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send `body` to `path` and return the JSON of the answer. Raises NoDaemon or ApiError."""
        return self._call("POST", path, json.dumps(body).encode())

    def send(self, path: str, file: bytes) -> Any:
        """Send `file` as it is to `path` and return the JSON of the answer. Raises NoDaemon or ApiError."""
        return self._call("POST", path, file, "application/octet-stream")

    def _call(self, method: str, path: str, body: bytes | None, kind: str = "application/json") -> Any:
        return self._json(*self._exchange(method, path, body, kind))

    def _exchange(
        self, method: str, path: str, body: bytes | None, kind: str = "application/json"
    ) -> tuple[int, bytes]:
        connection = _UnixConnection(self._path, self._timeout)
        headers = {"Accept-Language": self._language} if self._language else {}
        if body is not None:
            headers["Content-Type"] = kind
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise NoDaemon(str(self._path)) from error
        except PermissionError as error:
            raise NotOurs(str(self._path)) from error
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(0, str(error) or type(error).__name__) from error
        finally:
            connection.close()

    def _json(self, status: int, raw: bytes) -> Any:
        try:
            answer = json.loads(raw) if raw else None
        except ValueError as error:
            if status < 400:
                return raw.decode("utf-8", "replace")
            raise ApiError(status, raw[:200].decode("utf-8", "replace")) from error
        if status >= 400:
            raise ApiError(status, str(answer.get("error", status)) if isinstance(answer, dict) else str(status))
        return answer
