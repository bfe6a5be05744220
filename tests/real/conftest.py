"""What tests against real components share: which program they need, a free port, and recorded devices by SNMP."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

SYSTEM_FOLDERS = "/usr/sbin:/sbin:/lib/nut:/usr/lib/nut"
"""Where Debian puts daemons, which an ordinary user's PATH leaves out."""

Require = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def require() -> Require:
    """Return `require(program, package)`: the program's path; without it the test is skipped and names the package.

    With RELEVE_REQUIRE_REAL=1 a missing program fails the test. An absolute path is taken as it stands.
    """

    def find(program: str, package: str) -> Path:
        found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")
        if found is not None:
            return Path(found)
        missing = f"{program} is missing: install the Debian package {package}"
        if os.environ.get("RELEVE_REQUIRE_REAL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)

    return find


@pytest.fixture(scope="session")
def free_port() -> Callable[..., int]:
    """Return `free_port(kind=socket.SOCK_STREAM)`: a port of 127.0.0.1 that nothing listened on a moment ago."""

    def pick(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return pick
