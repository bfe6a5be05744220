"""The web pages of the simulated site: the log-in of Hermès and the client's own application."""

from __future__ import annotations

import asyncio

from aiohttp import web

from lab.door import Door
from lab.hush import Hushable

LOGIN = """<!doctype html><html lang="fr"><head><title>Hermès.Net - Connexion</title></head><body>
<form method="post" action="/hermes_net_v5/login"><h1>Hermès.Net</h1>
<label>Identifiant <input name="login"></label> <label>Mot de passe <input name="password" type="password"></label>
<button>Connexion</button></form></body></html>"""
APPLICATION = (
    """<!doctype html><html lang="fr"><head><title>OCM</title></head><body><h1>Application OCM</h1></body></html>"""
)


class Pages(Hushable):
    """A web server that gives `page` for every path. While `silent` it takes requests and does not answer."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._page = page
        self._server: web.Server | None = None
        self.door = Door(self._protocol)

    def _protocol(self) -> asyncio.BaseProtocol:
        if self._server is None:
            self._server = web.Server(self._serve, access_log=None)
        return self._server()

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        await self.speaks.wait()
        return web.Response(text=self._page, content_type="text/html", charset="utf-8")

    async def close(self) -> None:
        """End the server and give its port up."""
        self.speaks.set()
        await self.door.remove()
        if self._server is not None:
            await self._server.shutdown(timeout=0.1)
