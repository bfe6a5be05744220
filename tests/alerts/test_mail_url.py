"""Where mail goes out: what a URL means, and which one is refused before a password leaves the machine."""

import pytest

from alerts.mail_url import Mode, parse_url
from alerts.parcel import TransportError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mailto://mail.example.org", ("mail.example.org", 25, Mode.PLAIN, "releve@mail.example.org", "", "")),
        ("mailto://127.0.0.1:2525", ("127.0.0.1", 2525, Mode.PLAIN, "releve@[127.0.0.1]", "", "")),
        ("mailto://a:b@localhost:2525", ("localhost", 2525, Mode.PLAIN, "a@localhost", "a", "b")),
        ("mailto://a:b@[::1]:2525", ("::1", 2525, Mode.PLAIN, "a@[IPv6:::1]", "a", "b")),
        ("mailtos://a:b@mx.example", ("mx.example", 587, Mode.STARTTLS, "a@mx.example", "a", "b")),
        ("mailtos://a:b@mx.example:465", ("mx.example", 465, Mode.SSL, "a@mx.example", "a", "b")),
        ("mailtos://a:b@mx.example?mode=ssl", ("mx.example", 465, Mode.SSL, "a@mx.example", "a", "b")),
        ("mailtos://mx.example:465?mode=starttls", ("mx.example", 465, Mode.STARTTLS, "releve@mx.example", "", "")),
        (
            "mailtos://noc%40mc.cm:p%2Fw%3A%40d@mx.example:587",
            ("mx.example", 587, Mode.STARTTLS, "noc@mc.cm", "noc@mc.cm", "p/w:@d"),
        ),
        ("mailtos://a:b@mx.example?from=noc@mc.cm", ("mx.example", 587, Mode.STARTTLS, "noc@mc.cm", "a", "b")),
    ],
)
def test_a_url_names_server_mode_sender_and_account(url, expected):
    server = parse_url(url)
    assert (server.host, server.port, server.mode, server.sender, server.user, server.password) == expected


def test_further_parameters():
    server = parse_url("mailtos://mx.example?name=Rel%C3%A8ve%20Douala&timeout=2500%20ms&ca=/etc/ca.pem")
    assert (server.display, server.timeout, server.ca) == ("Relève Douala", 2.5, "/etc/ca.pem")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mailto://noc:secret@mail.example.org", "in clear"),
        ("mailto://mail.example.org?mode=starttls", "mailtos://"),
        ("mailtos://mail.example.org?mode=plain", "neither starttls nor ssl"),
        ("mailtos://mail.example.org?verify=no", "no parameter"),
        ("mailtos://mail.example.org?timeout=10", "no duration"),
        ("mailtos://mail.example.org?timeout=0s", "no duration"),
        ("mailtos://mail.example.org:port", "cannot be read"),
        ("mailtos://", "lacks its server"),
        ("http://mail.example.org", "lacks its server"),
    ],
)
def test_a_url_that_is_wrong_says_how_and_is_ours_to_mend(url, words):
    with pytest.raises(TransportError, match=words) as caught:
        parse_url(url)
    assert caught.value.ours
    assert not caught.value.permanent


def test_nothing_that_is_printed_shows_the_password():
    assert "hidden" not in repr(parse_url("mailtos://a:hidden@mx.example"))
