"""Webhooks by Apprise against a real HTTP server."""

import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from alerts import apprise_channel
from alerts.delivery import deliver
from alerts.parcel import TransportError
from monitor.core.text import Speech

# Apprise loads all its plugins at once, and one of them imports what Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
ENGLISH = Speech("en", lambda text: text)


@dataclass
class Hook:
    """Keeps what is posted; answers with `status` after `delay` seconds."""

    status: int = 200
    header: str = ""
    delay: float = 0.0
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def hook() -> Iterator[Callable[..., Hook]]:
    servers = []

    def start(**how: Any) -> Hook:
        kept = Hook(**how)

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.posted.append((self.path, json.loads(body)))
                time.sleep(kept.delay)
                self.send_response(kept.status)
                if kept.header:
                    self.wfile.write(f"HTTP/1.0 {kept.status} no\r\n{kept.header}\r\n\r\n".encode())
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        kept.url = f"127.0.0.1:{server.server_address[1]}"
        return kept

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def failure(parcel: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        deliver(parcel)
    return caught.value


def test_a_webhook_gets_subject_and_text(parcel, hook):
    there = hook()
    packed = parcel(f"json://{there.url}/releve", channel="hook", address="ops")
    assert deliver(packed).answer == "JSON: accepted"
    ((path, body),) = there.posted
    assert path == "/releve"
    assert body["title"] == packed.notice.message.subject
    assert body["message"].splitlines() == packed.notice.message.text.splitlines()


def test_the_contacts_address_takes_its_place_in_the_url(parcel, hook):
    there = hook()
    deliver(parcel(f"json://{there.url}/to/{{address}}", channel="hook", address="awa/é"))
    assert there.posted[0][0] in ("/to/awa/%C3%A9", "/to/awa%2F%C3%A9")


@pytest.mark.parametrize(("status", "ours"), [(500, False), (429, False), (404, True), (403, True)])
def test_a_refusal_tells_the_status_and_hides_the_url(parcel, hook, status, ours):
    there = hook(status=status)
    error = failure(parcel(f"json://user:s3cr3t-token@{there.url}/private-path", channel="hook"))
    words = ENGLISH.render(error.text)
    assert str(status) in words
    assert "s3cr3t-token" not in words
    assert "private-path" not in words
    assert (error.permanent, error.ours) == (False, ours)


def test_a_service_that_is_not_there_is_tried_again(parcel):
    error = failure(parcel("json://127.0.0.1:1/x", channel="hook"))
    assert (error.permanent, error.ours) == (False, False)


def test_a_service_that_does_not_answer_may_have_the_message(parcel, hook):
    url = f"json://{hook(delay=1.5).url}/x?rto=5"
    with pytest.raises(TransportError) as caught:
        apprise_channel.send_by_apprise(url, parcel(url, channel="hook"), timeout=0.3)
    error = caught.value
    assert "may have the message" in ENGLISH.render(error.text)
    assert (error.permanent, error.ours) == (False, False)


def test_a_url_that_apprise_cannot_read_is_ours_to_mend(parcel):
    error = failure(parcel("nonsense://s3cr3t-token", channel="hook"))
    assert error.ours
    assert "s3cr3t-token" not in ENGLISH.render(error.text)


def test_nothing_that_apprise_says_of_a_url_reaches_the_log(parcel, hook, capfd):
    log = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(log)  # pytest's own one hears also what does not propagate
    there = hook(status=403, header="no colon in s3cr3t-token")
    for url in (
        "s3cr3t-token",
        "discord://s3cr3t-token",
        "twilio://s3cr3t-token:s3cr3t-token@+1555",
        "malto://user:s3cr3t-token@host:25",
        f"json://user:s3cr3t-token@{there.url}/s3cr3t-token",
    ):
        assert "s3cr3t-token" not in ENGLISH.render(failure(parcel(url, channel="hook")).text)
    logging.getLogger().removeHandler(log)
    assert "s3cr3t-token" not in log.stream.getvalue()
    assert "s3cr3t-token" not in "".join(capfd.readouterr())


def test_a_text_message_service_gets_the_short_form_and_the_number(parcel):
    service = apprise_channel.service_of("clickatell://abcdefabcdefabcdefabcdefabcdefab", "+237600000000")
    assert service is not None
    assert service.body_maxlen <= apprise_channel.SHORT
    assert "237600000000" in service.url()
