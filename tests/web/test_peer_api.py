"""Over the API: which of the two Relèves this one is, and that it hands over only where it can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.web.app import application
from monitor.web.client import SOCKET, ApiError, LocalApi
from monitor.web.openapi import description
from monitor.web.server import serving, tcp_socket, unix_socket

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: en}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:TEST_MAIL_URL"}}
operations: {to: [admin]}
"""
TWO = """
sites:
  centre: {title: Douala, here: true, releve: "https://127.0.0.1:1"}
  secours: {title: Yaoundé, releve: "https://127.0.0.1:2"}
peer: {ca: file:ca.pem, cert: file:cert.pem, key: file:key.pem}
"""


@pytest.fixture(params=[SITE, SITE + TWO], ids=["one", "two"])
async def served(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[LocalApi, bool]]:
    """A daemon that answers, and whether it knows another one."""
    path, data = tmp_path / "inventory.yaml", tmp_path / "data"
    path.write_text(request.param, encoding="utf-8")
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text("x")
    inventory = load(path).inventory
    assert inventory is not None
    daemon = await Daemon.start(inventory, open_store(data, write=True, ballast=0))
    async with serving(application(daemon), tcp_socket("127.0.0.1:0"), unix_socket(data / SOCKET)):
        yield LocalApi(data, "en"), request.param != SITE
    await daemon.close()


async def test_an_active_one_says_what_it_is_and_whom_it_sends_to(served: tuple[LocalApi, bool]) -> None:
    api, two = served
    said = await asyncio.to_thread(api.get, "/api/v1/peer")
    assert (said["role"], said["since"], said["lease"]) == ("active", None, None)
    assert (said["other"] is not None) is two
    if two:
        assert (said["other"]["site"], said["other"]["title"]) == ("secours", "Yaoundé")


async def test_without_voters_nothing_is_handed_over(served: tuple[LocalApi, bool]) -> None:
    api, _two = served
    with pytest.raises(ApiError, match="no voters say") as refused:
        await asyncio.to_thread(api.post, "/api/v1/peer/hand-over", {})
    assert refused.value.status == 409


def test_both_paths_are_described() -> None:
    paths = description()["paths"]
    assert ("get" in paths["/api/v1/peer"], "post" in paths["/api/v1/peer/hand-over"]) == (True, True)
