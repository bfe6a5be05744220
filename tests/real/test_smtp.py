"""Mail to real SMTP servers on loopback: good ones, strict ones, broken ones, and ones that lie about who they are."""

import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from alerts.agreement import Channel
from alerts.delivery import deliver
from alerts.notice import Audience, Message, Notice, NoticeKey, Step
from alerts.parcel import Parcel, Receipt, TransportError
from monitor.core.ids import IncidentId
from monitor.core.text import Speech
from monitor.secret import Secret

ENGLISH = Speech("en", lambda text: text)
PASSWORD = "p/w:@x"
AT = datetime(2026, 11, 22, 13, 5, 7, tzinfo=UTC)


def send(url: str, address: str = "awa@example.org") -> Receipt:
    key = NoticeKey(IncidentId("26-0042"), Audience.CLIENT, Step.UPDATE, 3, "awa")
    message = Message("Arrêt d’un service", "Première ligne\n.\n.point\n", "<html><body>é</body></html>", "court")
    notice = Notice(key, AT, AT, key.message_id("s"), message, "mail", address, "fr", in_reply_to=key.thread_id("s"))
    return deliver(Parcel(notice, Channel("mail", Secret(url)), "Awa", "Média Contact", "ab" * 32))


def failure(url: str, address: str = "awa@example.org") -> TransportError:
    with pytest.raises(TransportError) as caught:
        send(url, address)
    assert PASSWORD not in ENGLISH.render(caught.value.text)
    return caught.value


def words(error: TransportError) -> str:
    return ENGLISH.render(error.text)


@dataclass
class Mailroom:
    """Keeps what arrives; answers as told."""

    mail: str = ""
    rcpt: str = ""
    data: str = "250 2.0.0 queued as 4711"
    kept: list[tuple[list[str], bytes, bool]] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if not self.mail:
            envelope.mail_from = address
        return self.mail or "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if not self.rcpt:
            envelope.rcpt_tos.append(address)
        return self.rcpt or "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        if self.data.startswith("2"):
            self.kept.append((envelope.rcpt_tos, envelope.content, session.ssl is not None))
        return self.data


@dataclass(frozen=True)
class Authority:
    """Who signs the servers' certificates: `file` is its own, `context` a server's for 127.0.0.1 or another name."""

    ca: trustme.CA
    file: Path

    def context(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(name).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca, file = trustme.CA(), tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)


Serve = Callable[..., int]


@pytest.fixture
def serve(free_port: Callable[..., int]) -> Iterator[Serve]:
    """Return `serve(mailroom, **options of aiosmtpd)`: the port of a server that runs until the test ends."""
    with ExitStack() as running:

        def start(mailroom: Mailroom, **options: Any) -> int:
            server = Controller(mailroom, hostname="127.0.0.1", port=free_port(), **options)
            server.start()
            running.callback(server.stop)
            return int(server.port)

        yield start


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Return `scripted(talk)`: the port of a server whose every connection is handed to `talk` and then closed."""
    with ExitStack() as running:

        def start(talk: Callable[[socket.socket], None]) -> int:
            listener = socket.create_server(("127.0.0.1", 0))
            running.callback(listener.close)
            running.callback(listener.shutdown, socket.SHUT_RDWR)

            def accept() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    with connection:
                        try:
                            talk(connection)
                        except OSError:
                            continue

            threading.Thread(target=accept, daemon=True).start()
            return int(listener.getsockname()[1])

        yield start


def converse(connection: socket.socket, until: bytes, last: bytes = b"") -> None:
    """Speak SMTP politely until the client says `until`, answer `last` to that, and leave."""
    lines = connection.makefile("rb")
    connection.sendall(b"220 here ESMTP\r\n")
    for line in lines:
        if line.upper().startswith(until):
            connection.sendall(last)
            return
        connection.sendall(b"354 go on\r\n" if line.upper().startswith(b"DATA") else b"250 OK\r\n")


def log_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"noc@mc.cm", PASSWORD.encode())
    return AuthResult(success=good, handled=good)


def strict(authority: Authority, name: str = "127.0.0.1") -> dict[str, Any]:
    return {
        "tls_context": authority.context(name),
        "require_starttls": True,
        "auth_required": True,
        "authenticator": log_in,
    }


def account(port: int, authority: Authority, password: str = "p%2Fw%3A%40x", more: str = "") -> str:
    return f"mailtos://noc%40mc.cm:{password}@127.0.0.1:{port}?ca={authority.file}&timeout=5s{more}"


def test_a_message_arrives_and_the_servers_answer_is_the_receipt(serve):
    mailroom = Mailroom()
    receipt = send(f"mailto://127.0.0.1:{serve(mailroom)}?from=noc@mc.cm")
    assert receipt == Receipt("250 2.0.0 queued as 4711")
    ((recipients, raw, _),) = mailroom.kept
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert recipients == ["awa@example.org"]
    assert message["From"].addresses[0].addr_spec == "noc@mc.cm"
    assert str(message["Message-ID"]).endswith("@releve.invalid>")
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == ["Première ligne", ".", ".point"]


def test_starttls_and_log_in_with_a_verified_certificate(serve, authority):
    mailroom = Mailroom()
    send(account(serve(mailroom, **strict(authority)), authority))
    assert [encrypted for _, _, encrypted in mailroom.kept] == [True]


def test_tls_from_the_first_byte(serve, authority):
    mailroom = Mailroom()
    port = serve(mailroom, ssl_context=authority.context())
    send(f"mailtos://127.0.0.1:{port}?mode=ssl&ca={authority.file}&from=noc@mc.cm&timeout=5s")
    assert len(mailroom.kept) == 1


@pytest.mark.parametrize("mode", ["starttls", "ssl"])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_of_another_name_or_of_a_stranger_is_refused(serve, authority, mode, trusted):
    """Trusted but for another host, or for this host but signed by nobody we know."""
    mailroom = Mailroom()
    name = "mx.example.org" if trusted else "127.0.0.1"
    options = strict(authority, name) if mode == "starttls" else {"ssl_context": authority.context(name)}
    port = serve(mailroom, **options)
    ca = f"&ca={authority.file}" if trusted else ""
    error = failure(f"mailtos://noc%40mc.cm:p%2Fw%3A%40x@127.0.0.1:{port}?mode={mode}&timeout=5s{ca}")
    assert "certificate" in words(error)
    assert (error.ours, error.permanent) == (True, False)
    assert mailroom.kept == []


def test_nothing_leaves_when_the_server_offers_no_encryption(serve, authority):
    mailroom = Mailroom()
    error = failure(account(serve(mailroom), authority))
    assert "offers no encryption" in words(error)
    assert error.ours
    assert mailroom.kept == []


def test_a_rejected_log_in_is_ours_to_mend_and_hides_the_password(serve, authority):
    error = failure(account(serve(Mailroom(), **strict(authority)), authority, password="wrong"))
    assert (error.ours, error.permanent) == (True, False)
    assert "the log-in of noc@mc.cm: 535" in words(error)
    assert "wrong" not in words(error)


def test_a_missing_log_in_is_ours_to_mend(serve, authority):
    port = serve(Mailroom(), **strict(authority))
    error = failure(f"mailtos://127.0.0.1:{port}?ca={authority.file}&timeout=5s")
    assert "530" in words(error)
    assert (error.ours, error.permanent) == (True, False)


def test_an_authority_that_cannot_be_read_is_named(serve, authority):
    error = failure(f"mailtos://127.0.0.1:{serve(Mailroom(), **strict(authority))}?ca=/nowhere/ca.pem&timeout=5s")
    assert "/nowhere/ca.pem" in words(error)
    assert error.ours


@pytest.mark.parametrize(
    ("answers", "permanent", "ours"),
    [
        ({"rcpt": "550 5.1.1 no such user"}, True, False),
        ({"rcpt": "450 4.2.1 mailbox busy"}, False, False),
        ({"rcpt": "554 5.7.1 relay access denied"}, False, True),
        ({"mail": "550 5.1.8 sender unknown"}, False, True),
        ({"mail": "452 4.3.1 disk full"}, False, False),
        ({"data": "552 5.3.4 message too big"}, True, False),
        ({"data": "451 4.3.0 try later"}, False, False),
    ],
)
def test_a_refusal_says_what_was_refused_and_whether_waiting_can_help(serve, answers, permanent, ours):
    error = failure(f"mailto://127.0.0.1:{serve(Mailroom(**answers))}")
    assert (error.permanent, error.ours) == (permanent, ours)
    (answer,) = answers.values()
    assert words(error).endswith(answer)


@pytest.mark.parametrize("greeting", [b"554 5.3.2 go away\r\n", b"421 busy\r\n"])
def test_a_server_that_wants_nobody_is_tried_again(scripted, greeting):
    error = failure(f"mailto://127.0.0.1:{scripted(lambda c: c.sendall(greeting))}?timeout=5s")
    assert not error.permanent
    assert greeting.decode().strip() in words(error)


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\xff\xfe\r\n", b"\xffx" * 9000, b"", b"220"])
def test_a_garbage_greeting_is_a_failed_connection(scripted, greeting):
    error = failure(f"mailto://127.0.0.1:{scripted(lambda c: c.sendall(greeting))}?timeout=5s")
    assert (error.permanent, error.ours) == (False, False)
    assert len(words(error)) < 500
    assert words(error).isprintable()


def test_a_server_that_is_not_there_is_tried_again(free_port):
    error = failure(f"mailto://127.0.0.1:{free_port()}")
    assert (error.permanent, error.ours) == (False, False)
    assert "Connection refused" in words(error)


def test_a_server_that_stalls_is_given_up_and_tried_again(scripted):
    wait = threading.Event()
    error = failure(f"mailto://127.0.0.1:{scripted(lambda _: wait.wait(30) and None)}?timeout=300ms")
    wait.set()
    assert (error.permanent, error.ours) == (False, False)
    assert "timed out" in words(error)


def test_a_server_that_dribbles_cannot_hold_a_sender_for_ever(scripted):
    def dribble(connection: socket.socket) -> None:
        connection.sendall(b"220 here\r\n")
        stop = threading.Event()
        while not stop.wait(0.05):
            connection.sendall(b"2")

    error = failure(f"mailto://127.0.0.1:{scripted(dribble)}?timeout=200ms")
    assert not error.permanent


def test_a_greeting_that_dribbles_cannot_hold_a_sender_either(scripted):
    def dribble(connection: socket.socket) -> None:
        stop = threading.Event()
        while not stop.wait(0.05):
            connection.sendall(b"2")

    error = failure(f"mailto://127.0.0.1:{scripted(dribble)}?timeout=200ms")
    assert not error.permanent


@pytest.mark.parametrize("mode", ["mailto", "mailtos"])
def test_a_server_without_an_end_to_its_words_is_cut_off(scripted, mode):
    def pour(connection: socket.socket) -> None:
        while True:
            connection.sendall((b"220-" + b"A" * 4000 + b"\r\n") * 16)

    error = failure(f"{mode}://127.0.0.1:{scripted(pour)}")
    assert not error.permanent
    assert "no end to what the server says" in words(error)


@pytest.mark.parametrize("until", [b"EHLO", b"MAIL", b"RCPT", b"DATA"])
def test_a_server_that_dies_before_the_message_is_tried_again(scripted, until):
    error = failure(f"mailto://127.0.0.1:{scripted(lambda c: converse(c, until))}?timeout=5s")
    assert (error.permanent, error.ours) == (False, False)


def test_a_server_that_dies_after_the_message_may_have_it(scripted):
    """The final dot is sent, the answer never comes: only the same Message-ID lets the recipient tell."""
    read: list[bytes] = []

    def die(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        connection.sendall(b"220 here ESMTP\r\n")
        inside = False
        for line in lines:
            if inside:
                read.append(line)
                if line == b".\r\n":
                    return
                continue
            inside = line.upper().startswith(b"DATA")
            connection.sendall(b"354 go on\r\n" if inside else b"250 OK\r\n")

    url = f"mailto://127.0.0.1:{scripted(die)}?timeout=5s"
    for _ in range(2):
        error = failure(url)
        assert (error.permanent, error.ours) == (False, False)
        assert "may have it" in words(error)
    ids = [line for line in read if line.lower().startswith(b"message-id:")]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_an_answer_after_acceptance_changes_nothing(scripted):
    """The server takes the message, then breaks off instead of saying goodbye."""

    def take(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        connection.sendall(b"220 here ESMTP\r\n")
        for line in lines:
            if line.upper().startswith(b"QUIT"):
                return
            if line.upper().startswith(b"DATA"):
                connection.sendall(b"354 go on\r\n")
            elif line == b".\r\n" or line[:4].upper() in (b"EHLO", b"MAIL", b"RCPT"):
                connection.sendall(b"250 taken\r\n")

    assert send(f"mailto://127.0.0.1:{scripted(take)}?timeout=5s") == Receipt("250 taken")


def test_an_address_that_is_not_ascii_needs_a_server_that_can(serve, scripted):
    mailroom = Mailroom()
    send(f"mailto://127.0.0.1:{serve(mailroom, enable_SMTPUTF8=True)}", "aïcha@example.org")
    assert mailroom.kept[0][0] == ["aïcha@example.org"]
    error = failure(f"mailto://127.0.0.1:{scripted(lambda c: converse(c, b'NEVER'))}?timeout=5s", "aïcha@example.org")
    assert error.permanent


def test_an_unset_variable_is_named(monkeypatch):
    monkeypatch.delenv("RELEVE_MAIL_URL_OF_TEST", raising=False)
    error = failure("env:RELEVE_MAIL_URL_OF_TEST")
    assert "RELEVE_MAIL_URL_OF_TEST" in words(error)
    assert error.ours
