"""The http probe against a real nginx: statuses, redirects, TLS, bombs and pages that never come."""

from __future__ import annotations

import asyncio
import gzip
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
from probes.http import LARGEST_BODY, Http
from probes.runner import run
from probes.sessions import Sessions

READY_WITHIN = 30.0
SITE = "crm.example.org"
CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/pid;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    listen 127.0.0.1:{tls} ssl;
    server_name _;
    ssl_certificate {folder}/chain.pem;
    ssl_certificate_key {folder}/key.pem;
    default_type text/html;
    root {folder}/pages;
    location = /away {{ return 302 http://127.0.0.1:{port}/; }}
    location = /secure {{ return 301 https://127.0.0.1:{tls}/; }}
    location = /circle {{ return 302 /circle; }}
    location = /broken {{ return 503; }}
    location = /closed {{ return 403; }}
    location = /bomb {{ alias {folder}/pages/bomb.gz; add_header Content-Encoding gzip; }}
    location = /trickle {{ alias {folder}/pages/large; limit_rate 1k; }}
    location = /silent {{ proxy_pass http://127.0.0.1:{silent}; }}
  }}
  server {{
    listen 127.0.0.1:{port};
    listen 127.0.0.1:{tls} ssl;
    server_name {site};
    ssl_certificate {folder}/chain.pem;
    ssl_certificate_key {folder}/key.pem;
    location = /secure {{ return 301 https://{site}:{tls}/; }}
    location / {{ return 200 "Hermes.Net"; }}
  }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """Where it listens, plainly and by TLS, and the file of the authority that signed for 127.0.0.1 and SITE."""

    port: int
    tls: int
    ca: Path
    log: Path

    def ask(self, timeout: float = 5.0, **params: Any) -> Verdict:
        """Probe once, as a check would."""
        (verdict,) = self.ask_at_once(1, timeout, **params)
        return verdict

    def ask_at_once(self, times: int, timeout: float = 5.0, **params: Any) -> list[Verdict]:
        """Probe as so many checks would that start together."""
        checked = Http.Params.model_validate({"port": self.tls if params.get("tls") else self.port, **params})
        target = Target(NodeId("crm"), "127.0.0.1")

        async def together() -> list[Verdict]:
            async with Sessions() as sessions:
                looks = [run(Http(), target, checked, timeout, sessions, SystemClock(), {}) for _ in range(times)]
                return [result.verdict for result in await asyncio.gather(*looks)]

        return asyncio.run(together())


@pytest.fixture(scope="module")
def nginx(
    require: Callable[[str, str], Path], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    program, folder = require("nginx", "nginx-light"), tmp_path_factory.mktemp("nginx")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1", SITE)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for part in certificate.cert_chain_pems:
        part.write_to_path(folder / "chain.pem", append=True)
    pages = folder / "pages"
    pages.mkdir()
    (pages / "index.html").write_text("<h1>Identification</h1>", encoding="utf-8")
    (pages / "large").write_bytes(b" " * 4 * LARGEST_BODY)
    (pages / "bomb.gz").write_bytes(gzip.compress(bytes(100 * LARGEST_BODY), 6))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = Nginx(free_port(), free_port(), folder / "ca.pem", folder / "error.log")
        configuration = CONFIGURATION.format(
            folder=folder,
            port=found.port,
            tls=found.tls,
            site=SITE,
            silent=silent.getsockname()[1],
            user="user root;" if os.geteuid() == 0 else "",
        )
        (folder / "nginx.conf").write_text(configuration, encoding="utf-8")
        command = [program, "-e", found.log, "-p", folder, "-c", folder / "nginx.conf"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
            wait_for(process, found)
            yield found
            process.terminate()


def wait_for(process: subprocess.Popen[bytes], nginx: Nginx) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", nginx.tls), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    process.terminate()
    pytest.fail(f"nginx did not start: {nginx.log.read_text()}")


@pytest.mark.parametrize(
    ("params", "severity", "status"),
    [
        ({}, Severity.OK, "200"),
        ({"expect": "Identification"}, Severity.OK, "200"),
        ({"expect": "Hermes"}, Severity.CRITICAL, "200"),
        ({"host": SITE, "expect": "Hermes.Net"}, Severity.OK, "200"),
        ({"path": "/away", "expect": "Identification"}, Severity.OK, "200"),
        ({"path": "/away", "status": [302]}, Severity.OK, "302"),
        ({"path": "/nowhere"}, Severity.CRITICAL, "404"),
        ({"path": "/closed"}, Severity.CRITICAL, "403"),
        ({"path": "/closed", "status": [401, 403]}, Severity.OK, "403"),
        ({"path": "/broken"}, Severity.CRITICAL, "503"),
        ({"path": "/bomb"}, Severity.OK, "200"),
    ],
)
def test_a_page_is_judged_by_its_status_and_its_text(nginx, params, severity, status):
    verdict = nginx.ask(**params)
    assert (verdict.severity, verdict.facts["status"]) == (severity, status), ENGLISH.render(verdict.summary)
    assert [metric.name for metric in verdict.metrics] == ["time"]


def test_a_circle_of_redirects_ends(nginx):
    verdict = nginx.ask(path="/circle")
    assert verdict.severity is Severity.CRITICAL
    assert "more than 5 redirects" in ENGLISH.render(verdict.summary)


def test_a_certificate_is_verified_against_the_authority_that_the_check_names(nginx):
    assert nginx.ask(tls=True, ca=str(nginx.ca), expect="Identification").severity is Severity.OK
    verdict = nginx.ask(tls=True)
    assert verdict.severity is Severity.CRITICAL
    assert "the key ca names a file to trust" in ENGLISH.render(verdict.summary)


def test_a_certificate_for_another_name_is_refused(nginx):
    assert nginx.ask(tls=True, ca=str(nginx.ca), host=SITE, expect="Hermes.Net").severity is Severity.OK
    verdict = nginx.ask(tls=True, ca=str(nginx.ca), host="other.example.org")
    assert verdict.severity is Severity.CRITICAL
    assert "for another name" in ENGLISH.render(verdict.summary)


def test_a_redirect_to_https_is_followed_and_verified(nginx):
    assert nginx.ask(path="/secure", ca=str(nginx.ca), expect="Identification").severity is Severity.OK
    assert nginx.ask(path="/secure").severity is Severity.CRITICAL


def test_a_redirect_to_the_named_site_stays_on_the_device(nginx):
    """The name is nobody's in any name server: it is asked for on the address that the inventory gives."""
    params = {"path": "/secure", "host": SITE, "expect": "Hermes.Net"}
    assert nginx.ask(**params, ca=str(nginx.ca)).severity is Severity.OK
    assert "unknown authority" in ENGLISH.render(nginx.ask(**params).summary)


def test_fifty_looks_at_once_all_get_their_page(nginx):
    verdicts = nginx.ask_at_once(50, expect="Identification")
    assert [verdict.severity for verdict in verdicts] == [Severity.OK] * 50


def test_plain_http_on_a_tls_port_and_the_other_way_round_say_so(nginx):
    verdict = nginx.ask(tls=True, port=nginx.port)
    assert verdict.severity is Severity.CRITICAL
    assert "does not speak TLS" in ENGLISH.render(verdict.summary)
    assert nginx.ask(port=nginx.tls).facts["status"] == "400"


@pytest.mark.parametrize("path", ["/silent", "/trickle"])
def test_a_page_that_does_not_come_in_time_is_said_to_be_accepted_and_late(nginx, path):
    verdict = nginx.ask(path=path, timeout=0.6)
    assert verdict.severity is Severity.CRITICAL
    assert "accepts, but the page did not come" in ENGLISH.render(verdict.summary)


def test_a_bomb_is_searched_only_as_far_as_a_page_may_be_long(nginx):
    verdict = nginx.ask(path="/bomb", expect="Identification")
    assert verdict.severity is Severity.CRITICAL
    assert "the first 1 MB of the page" in ENGLISH.render(verdict.summary).replace("\u00a0", " ")
