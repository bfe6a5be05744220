"""The URL of a mailbox: encrypted unless it is this very machine's, and never shown."""

import pytest

from alerts.imap_url import parse_imap_url
from alerts.mail_url import Mode
from alerts.parcel import TransportError


@pytest.mark.parametrize(
    ("url", "port", "mode", "folder"),
    [
        ("imaps://ann:s3cret@mx.example.org", 993, Mode.SSL, "INBOX"),
        ("imaps://ann:s3cret@mx.example.org:9993/Relev/Inbox?ca=/ca.pem&timeout=5s", 9993, Mode.SSL, "Relev/Inbox"),
        ("imap://ann:s3cret@mx.example.org", 143, Mode.STARTTLS, "INBOX"),
        ("imap://ann:s3cret@127.0.0.1:1143/?mode=plain", 1143, Mode.PLAIN, "INBOX"),
        ("imap://ann:s3cret@[::1]?mode=plain", 143, Mode.PLAIN, "INBOX"),
    ],
)
def test_a_url_names_a_mailbox(url, port, mode, folder):
    server = parse_imap_url(url)
    assert (server.port, server.mode, server.folder, server.password) == (port, mode, folder, "s3cret")
    assert "s3cret" not in repr(server)


def test_signs_of_a_password_are_written_as_in_any_url():
    assert parse_imap_url("imaps://a%40b:p%2F%3A%40@mx").password == "p/:@"
    assert parse_imap_url("imaps://a%40b:p@mx").user == "a@b"


@pytest.mark.parametrize(
    "url",
    [
        "imaps://mx.example.org",
        "imaps://ann:s3cret@",
        "pop3://ann:s3cret@mx",
        "imaps://ann:s3cret@mx:99999",
        "imap://ann:s3cret@mx.example.org?mode=plain",
        "imaps://ann:s3cret@mx?mode=plain",
        "imap://ann:s3cret@mx?mode=none",
        "imaps://ann:s3cret@mx?verify=no",
        "imaps://ann:s3cret@mx?timeout=0",
        "imaps://ann:s3cret@mx?timeout=soon",
        'imaps://ann:s3cret@mx/a"b',
        "imaps://ann:s3cret@mx/%C3%A9",
        "imaps://ann:s3cret@mx/a%0D%0Ab",
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_it(url):
    with pytest.raises(TransportError) as refused:
        parse_imap_url(url)
    assert refused.value.ours and "s3cret" not in str(refused.value.text)
