"""The http probe against nginx: status, text, compression, redirects, and its certificate."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity, Verdict
from probes.contract import Target
from probes.http import Http, HttpParams
from probes.runner import run
from probes.sessions import Sessions

READY_WITHIN = 30.0
SITE = "crm.example.org"
CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{}}
http {{
  access_log off; gzip on; gzip_min_length 1; gzip_types text/plain; default_type text/plain;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{plain} default_server;
    location / {{ return 200 "Connexion a Hermes"; }}
    location /down {{ return 503; }}
    location /inside {{ return 401; }}
    location /secure {{ return 301 https://{site}:{tls}/login; }}
  }}
  server {{
    listen 127.0.0.1:{tls} ssl; server_name {site};
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ return 200 "bienvenue sur $host"; }}
  }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    plain: int
    tls: int
    ca: Path


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def nginx(
    require: Callable[[str, str], Path], free_port: Callable[..., int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    program, folder = require("nginx", "nginx-light"), tmp_path_factory.mktemp("nginx")
    authority = trustme.CA()
    certificate = authority.issue_cert(SITE)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    server = Nginx(free_port(), free_port(), folder / "ca.pem")
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, plain=server.plain, tls=server.tls, site=SITE, user=user))
    command = [program, "-p", folder, "-c", config, "-e", folder / "error.log"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as running:
        until = time.monotonic() + READY_WITHIN
        while not listens(server.tls) and time.monotonic() < until:
            assert running.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.05)
        yield server
        running.terminate()


async def look(port: int, **keys: Any) -> Verdict:
    params = HttpParams.model_validate({"port": port, **keys})
    async with Sessions() as sessions:
        target = Target(NodeId("crm"), "127.0.0.1")
        return (await run(Http(), target, params, 10, sessions, SystemClock(), {})).verdict


@pytest.mark.parametrize(
    ("keys", "severity", "status"),
    [
        ({"expect": "Connexion a Hermes"}, Severity.OK, "200"),
        ({"expect": "Deconnexion"}, Severity.CRITICAL, "200"),
        ({"path": "/down"}, Severity.CRITICAL, "503"),
        ({"path": "/inside"}, Severity.CRITICAL, "401"),
        ({"path": "/inside", "status": 401}, Severity.OK, "401"),
    ],
)
async def test_a_page_is_judged_by_its_status_and_its_text(nginx, keys, severity, status):
    verdict = await look(nginx.plain, **keys)
    assert (verdict.severity, verdict.facts) == (severity, {"status": status})


async def test_a_redirect_to_https_is_followed_on_the_device_and_its_certificate_verified(nginx):
    followed = await look(nginx.plain, path="/secure", host=SITE, ca=nginx.ca, expect=f"bienvenue sur {SITE}")
    assert followed.severity is Severity.OK
    distrusted = await look(nginx.plain, path="/secure", host=SITE)
    assert "unknown authority" in ENGLISH.render(distrusted.summary)


async def test_the_certificate_must_be_for_the_name_that_is_asked_for(nginx):
    verdict = await look(nginx.tls, tls=True, ca=nginx.ca)
    assert verdict.severity is Severity.CRITICAL
    assert "for another name" in ENGLISH.render(verdict.summary)
    assert (await look(nginx.tls, tls=True, ca=nginx.ca, host=SITE)).severity is Severity.OK


async def test_fifty_looks_at_once_all_get_their_page(nginx):
    verdicts = await asyncio.gather(*(look(nginx.plain, expect="Connexion") for _ in range(50)))
    assert {verdict.severity for verdict in verdicts} == {Severity.OK}
