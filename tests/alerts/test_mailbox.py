"""A mailbox whose server stalls, lies or pours: a visit comes to an end, and says why."""

import socket
import threading
from contextlib import contextmanager
from datetime import date

import pytest

from alerts.imap_url import MailServer
from alerts.mail_url import Mode
from alerts.mailbox import Filing, Mark, visit
from alerts.parcel import TransportError

CAPABLE = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"


@contextmanager
def server_that(*answers):
    """A server on loopback that greets with the first answer and gives the next one for each line that it is told.

    `TAG` in an answer is the tag of that line; after the last it says no more, and hangs.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def serve():
            connection, _ = listening.accept()
            with connection, connection.makefile("rwb") as file:
                tag = b""
                for answer in answers:
                    file.write(answer.replace(b"TAG", tag))
                    file.flush()
                    line = file.readline()
                    if b" " in line.strip():
                        tag = line.split()[0]
                ended.wait(20)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            thread.join(20)


def visited(port, mode=Mode.PLAIN):
    server = MailServer("127.0.0.1", port, mode, "ann", "s3cret", timeout=0.5)
    with pytest.raises(TransportError) as refused:
        visit(server, date(2026, 11, 26), Mark(), lambda reply: Filing.DONE)
    said = f"{refused.value.text}"
    assert "s3cret" not in said
    return said


def test_a_server_that_says_nothing_is_given_up():
    with server_that(b"") as port:
        assert "timed out" in visited(port)


def test_a_server_that_hangs_after_the_greeting_is_given_up():
    with server_that(b"* OK hello\r\n") as port:
        assert "timed out" in visited(port)


def test_a_server_without_encryption_is_not_told_the_password():
    with server_that(b"* OK hello\r\n", CAPABLE + b"TAG OK done\r\n") as port:
        assert "STARTTLS" in visited(port, Mode.STARTTLS)


def test_a_server_that_announces_more_than_anybody_would_send_is_cut_off():
    with server_that(b"* OK hello\r\n", b"* X {99999999999}\r\n") as port:
        assert "no end" in visited(port)


def test_a_server_that_is_no_imap_server_is_told_apart():
    with server_that(b"220 smtp.example.org ESMTP\r\n") as port:
        assert "cannot be read" in visited(port)


def test_what_a_server_echoes_of_the_password_is_not_shown():
    log_in = b"TAG NO wrong: s3cret AGFubgBzM2NyZXQ=\r\n"
    with server_that(b"* OK hello\r\n", CAPABLE + b"TAG OK done\r\n", b"+ \r\n", log_in) as port:
        said = visited(port)
        assert "***" in said and "AGFubgBzM2NyZXQ" not in said


def test_nobody_at_the_address_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "refused" in visited(port).lower()
