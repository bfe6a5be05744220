"""The public status in a bucket, against a server that speaks S3 on loopback, and servers that do not."""

import asyncio
import contextlib
import http.server
import json
import socket
import threading
import time
import urllib.request

import pytest

from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon.bucket import BucketTrouble, put_objects
from monitor.daemon.noticeboard import Noticeboard
from monitor.daemon.publishing import Publishing, Timing
from monitor.inventory.model import PublicBucket
from monitor.secret import Secret

FILES = {"index.html": "<p>état</p>".encode(), "status.json": b"{}", "feed.atom": b"<feed/>"}


@pytest.fixture(scope="module")
def s3():
    """The address of a store on loopback; what botocore and moto warn of is theirs."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - a second

    with quiet():
        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextlib.contextmanager
def quiet():
    import warnings  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def bucket(url: str, name: str = "etat-public", prefix: str = "") -> PublicBucket:
    return PublicBucket(name, Secret("AKIAOURS"), Secret("never-shown"), prefix, url)


def made(url: str, name: str) -> None:
    """Make a bucket by one bare request: what is tested makes none."""
    asked = urllib.request.Request(f"{url}/{name}", method="PUT")
    urllib.request.urlopen(asked, timeout=10).close()


def shown(url: str, name: str, key: str) -> tuple[bytes, str, str]:
    """What lies under `key`, its type and how long it may be kept, as another client reads it."""
    import boto3  # noqa: PLC0415 - half a second

    with quiet():
        client = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
        )
        got = client.get_object(Bucket=name, Key=key)
        try:
            return got["Body"].read(), got["ContentType"], got["CacheControl"]
        finally:
            got["Body"].close()
            client.close()


async def aside(work, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)


async def test_each_file_is_an_object_with_its_type_and_is_written_over(s3):
    await aside(made, s3, "etat-public")
    with quiet():
        await put_objects(bucket(s3), FILES, 5.0)
        await put_objects(bucket(s3, prefix="douala/"), FILES | {"index.html": b"<p>new</p>"}, 5.0)
        await put_objects(bucket(s3), {"status.json": b'{"n": 2}'}, 5.0)
    page, kind, cache = await aside(shown, s3, "etat-public", "index.html")
    assert (page, kind, cache) == (FILES["index.html"], "text/html; charset=utf-8", "max-age=30")
    assert json.loads((await aside(shown, s3, "etat-public", "status.json"))[0]) == {"n": 2}
    feed, kind, _cache = await aside(shown, s3, "etat-public", "douala/feed.atom")
    assert (feed, kind) == (b"<feed/>", "application/atom+xml; charset=utf-8")


async def test_a_bucket_that_is_not_there_is_named_and_not_made(s3):
    with quiet(), pytest.raises(BucketTrouble) as trouble:
        await put_objects(bucket(s3, "no-such-bucket", "etat/"), FILES, 5.0)
    assert dict(trouble.value.why.values) == {"place": "s3://no-such-bucket/etat"}


async def test_a_key_that_is_refused_is_said_without_it():
    class Refusing(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # which says "continue" before the body

        def do_PUT(self):
            body = b"<Error><Code>AccessDenied</Code><Message>AKIAOURS never-shown</Message></Error>"
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with quiet(), pytest.raises(BucketTrouble) as trouble:
            await put_objects(bucket(f"http://127.0.0.1:{server.server_address[1]}"), FILES, 5.0)
    finally:
        await aside(server.shutdown)
        server.server_close()
    said = str(trouble.value.why)
    assert "refuses the key" in said
    assert not any(word in said for word in ("AKIAOURS", "never-shown"))


async def test_who_does_not_listen_or_does_not_answer_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with quiet(), pytest.raises(BucketTrouble):
            await put_objects(bucket(f"http://127.0.0.1:{silent.getsockname()[1]}"), FILES, 0.5)
        assert time.monotonic() - begun < 15
        gone = silent.getsockname()[1]
    with quiet(), pytest.raises(BucketTrouble):
        await put_objects(bucket(f"http://127.0.0.1:{gone}"), FILES, 0.5)


async def test_a_secret_that_is_nowhere_is_named():
    place = PublicBucket("etat-public", Secret("env:NO_SUCH_KEY"), Secret("env:NO_SUCH_SECRET"))
    with pytest.raises(BucketTrouble) as trouble:
        await put_objects(place, FILES, 0.5)
    assert "NO_SUCH_KEY" in str(trouble.value.why.values)


async def test_what_changes_goes_into_the_bucket_and_the_one_that_takes_nothing_is_named(
    s3, inventory_of, desk_on, machine, monkeypatch
):
    monkeypatch.setenv("K", "AKIAOURS")
    monkeypatch.setenv("S", "never-shown")
    await aside(made, s3, "shown")
    places = ", ".join(
        f"{{s3: {{bucket: {name}, key: 'env:K', secret: 'env:S', url: '{s3}'}}}}" for name in ("shown", "absent")
    )
    site = inventory_of(("operations: {to: [admin]}", f"operations: {{to: [admin]}}\npublic: {{push: [{places}]}}"))
    told = []

    async def report(verdict, _at, _elapsed):
        told.append((verdict.severity, ENGLISH.render(verdict.summary)))

    quick = Timing(first=0.0, look=0.02, quiet=0.0, retry=0.05, patience=10.0, silent=5.0)
    publishing = Publishing(Noticeboard(desk_on(site), lambda: True, machine), machine, report, quick)
    with quiet():
        running = asyncio.create_task(publishing.run())
        async with asyncio.timeout(20):
            while not (publishing.sent and any("s3://absent" in text for _severity, text in told)):
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await publishing.close()
    page, kind, _cache = await aside(shown, s3, "shown", "status.json")
    assert (json.loads(page)["title"], kind) == ("Petit site", "application/json")
    assert (Severity.WARNING, "there is no s3://absent") in [(s, t.rpartition(": ")[2]) for s, t in told]
