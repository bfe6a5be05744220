"""Mails that people, absent people, mail servers and attackers send, and what each is read as."""

import base64
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.reply import LONGEST_ADDRESS, MOST_BYTES, MOST_REFERENCES, Kind, Reply, read_reply
from alerts.reply_words import ACKNOWLEDGING, acknowledges, first_line, plain

OURS = "0123456789abcdef0123456789abcdef@noc.example.org"


def mail(body="ok", headers="", **also):
    given_headers = {
        "From": "Ann <Ann@Example.org>",
        "Message-ID": "<m1@example.org>",
        "In-Reply-To": f"<{OURS}>",
        **also,
    }
    lines = [f"{name}: {value}" for name, value in given_headers.items() if value]
    return ("\r\n".join(lines) + f"\r\n{headers}\r\n{body}").encode()


@pytest.mark.parametrize(
    "line",
    ["ok", "OK.", "Ok !", "ack", "Pris en charge", "je m'en occupe", "Je m\u2019en occupe.", "vu", "Vu, ok"[:2],
     "Acquitté", "ACQUITTE\u0301", "  on it  ", "I\u2019m on it!", "D\u2019accord"],
)  # fmt: skip
def test_words_that_say_that_somebody_is_on_it(line):
    assert acknowledges(line)


@pytest.mark.parametrize(
    "line",
    ["", "ok mais pas avant midi", "pas ok", "ok?? qui s'en occupe", "je ne m'en occupe pas", "not on it", "resolve",
     "stop", "Absence du bureau", "ok " * 50],
)  # fmt: skip
def test_words_that_a_person_has_to_read(line):
    assert not acknowledges(line)


def test_the_table_holds_words_as_they_are_compared():
    assert all(plain(words) == words for words in ACKNOWLEDGING)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ok\n\n> Critique: disque plein\n> ok", "ok"),
        ("Bonjour,\n\nje m'en occupe\nAnn", "je m'en occupe"),
        ("> ok\n> ok\n", ""),
        ("Le jeu. 26 nov. 2026 à 14:05, Relève <r@x.org> a écrit :\nok", ""),
        ("On Thu, Nov 26, 2026 at 2:05 PM Releve <r@x.org> wrote:\n> x\nok", ""),
        ("-----Message d'origine-----\nok", ""),
        ("De : Relève\nEnvoyé : jeudi\nok", ""),
        ("________________________________\nok", ""),
        ("\n\n\n   vu   \n", "vu"),
        ("Le disque est plein depuis hier\nok", "Le disque est plein depuis hier"),
    ],
)
def test_the_first_line_is_the_writers_own(text, line):
    assert first_line(text) == line


def test_an_answer_says_whose_it_claims_to_be_and_what_it_answers():
    raw = mail("Ok.\r\n", References="<root@x> <other@x>")
    answers = (OURS, "other@x", "root@x")
    assert read_reply(raw) == Reply("m1@example.org", Kind.ANSWER, "ann@example.org", answers, "Ok.")


@pytest.mark.parametrize(
    ("charset", "encoding", "body", "line"),
    [
        ("utf-8", "8bit", "Pris en charge\u00a0!".encode(), "Pris en charge !"),
        ("iso-8859-1", "8bit", "acquitté".encode("latin-1"), "acquitté"),
        ("windows-1252", "quoted-printable", b"je m=92en occupe", "je m\u2019en occupe"),
        ("utf-8", "base64", base64.b64encode(b"ok"), "ok"),
        ("utf-16", "base64", base64.b64encode("ok".encode("utf-16")), "ok"),
        ("x-no-such-charset", "8bit", b"ok", "ok"),
        ("utf-8\0", "8bit", b"ok", "ok"),
        ("utf-8", "base64", b"!!!not base64", "!!!not base64"),
        ("utf-8", "x-no-such-encoding", b"ok", "ok"),
        ("utf-8", "8bit", b"\xff\xfeok", "\ufffd\ufffdok"),
    ],
)
def test_any_charset_and_encoding_is_read_as_far_as_it_goes(charset, encoding, body, line):
    raw = mail("", f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n") + body
    assert read_reply(raw).line == line


@pytest.mark.parametrize(
    ("html", "line"),
    [
        ("<html><head><title>x</title><style>p{}</style></head><body><p>ok</p><p>Ann</p></body></html>", "ok"),
        ("<div>Bonjour,</div><div>je m&#8217;en occupe</div><blockquote>Critique</blockquote>", "je m\u2019en occupe"),
        ("<blockquote>ok</blockquote>", ""),
        ("<script>ok</script>vu", "vu"),
        ("ok<br>Ann", "ok"),
        ("<p>o<b>k</b>", "o k"),
        ("<!--[if mso]><style>x</style><![endif]--><p>ok", "ok"),
        ("<P>OK</P>", "OK"),
        ("<", "<"),
        ("<!--" * 2000, ""),
    ],
)
def test_a_mail_in_html_alone_is_read_by_what_it_shows(html, line):
    found = read_reply(mail(html, "Content-Type: text/html; charset=utf-8\r\n")).line
    assert found == line or (html.startswith("<!--<") and not acknowledges(found))


def test_the_plain_part_counts_and_no_attachment_does():
    message = EmailMessage()
    message["From"], message["Message-ID"] = "ann@example.org", "<m@x>"
    message.set_content("vu")
    message.add_alternative("<p>something else</p>", subtype="html")
    message.add_attachment("ok", filename="ok.txt")
    assert read_reply(message.as_bytes()).line == "vu"
    message = EmailMessage()
    message["From"] = "ann@example.org"
    message.add_attachment("ok", filename="ok.txt")
    assert read_reply(message.as_bytes()).line == ""


@pytest.mark.parametrize(
    "header",
    ["Auto-Submitted: auto-replied", "Auto-Submitted: auto-generated; x=y", "Precedence: bulk",
     "Precedence: auto_reply", "X-Autoreply: yes", "List-Id: <l.example.org>"],
)  # fmt: skip
def test_nobody_wrote_an_automatic_answer(header):
    found = read_reply(mail("ok", f"{header}\r\n"))
    assert (found.kind, found.line, found.answers) == (Kind.AUTOMATIC, "", (OURS,))


def test_a_mail_that_says_it_is_not_automatic_was_written_by_somebody():
    assert read_reply(mail("ok", "Auto-Submitted: no\r\n")).kind is Kind.ANSWER


def report(action="failed", headers="message/rfc822"):
    return mail(
        "--b\r\n\r\nIt did not work.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
        f"Final-Recipient: rfc822; gone@example.org\r\nAction: {action}\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: {headers}\r\n\r\nFrom: r@x\r\nMessage-ID: <{OURS}>\r\nSubject: s\r\n\r\nbody\r\n"
        "--b--\r\n",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
        **{"From": "MAILER-DAEMON@mx", "In-Reply-To": ""},
    )


@pytest.mark.parametrize("headers", ["message/rfc822", "text/rfc822-headers"])
def test_a_report_of_what_did_not_arrive_names_our_message_and_the_address(headers):
    found = read_reply(report(headers=headers))
    assert (found.kind, found.answers, found.failed) == (Kind.BOUNCE, (OURS,), "gone@example.org")


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", ""])
def test_a_report_of_a_delay_or_a_success_is_no_bounce(action):
    assert read_reply(report(action)).kind is Kind.AUTOMATIC


@pytest.mark.parametrize(
    "sender", ["", "a@x.org, b@x.org", "no address", f"{'a' * LONGEST_ADDRESS}@x.org", "a@x.org\r\nFrom: b@x.org"]
)
def test_a_mail_of_nobody_or_of_several_is_nobodys(sender):
    assert read_reply(mail(From=sender)).sender == ""


def test_a_mail_without_an_id_has_one_of_its_own():
    one, other = (read_reply(mail(body, **{"Message-ID": ""})).id for body in ("a", "b"))
    assert one != other and len(one) == 32
    assert read_reply(mail("a", **{"Message-ID": ""})).id == one


def test_ten_megabytes_of_headers_are_read_to_a_limit():
    found = read_reply(mail("ok", "X-Long: " + "a " * (20 * MOST_BYTES) + "\r\n"))
    assert found.kind is Kind.ANSWER and found.line == ""


def test_a_thread_of_thousands_names_the_last_few():
    thread = " ".join(f"<{n}@x>" for n in range(5000))
    answers = read_reply(mail(References=thread)).answers
    assert answers[0] == OURS and len(answers) == MOST_REFERENCES


@pytest.mark.parametrize("depth", [50, 5000])
def test_parts_within_parts_without_end_are_given_up(depth):
    body = "".join(f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(depth))
    found = read_reply(mail(body + "ok", "Content-Type: multipart/mixed; boundary=b0\r\n"))
    assert found.kind in (Kind.ANSWER, Kind.UNREADABLE) and not acknowledges(found.line)


BOMBS = {
    "tags": b"Content-Type: text/html\r\n\r\n" + b"<a " * 10_000,
    "attributes": b"Content-Type: text/html\r\n\r\n" + b'<a x="' * 6_000,
    "declarations": b"Content-Type: text/html\r\n\r\n" + b"<![" * 10_000,
    "parameters": b'Content-Type: text/plain; a="' + b";\\" * 100_000 + b"\r\n\r\nok",
    "folded parameters": b"Content-Type: text/plain;" + b'\r\n a=";\\";' * 20_000 + b"\r\n\r\nok",
    "brackets": b"From: " + b"(" * 200_000 + b"\r\n\r\nok",
    "addresses": b"From: " + b"a@x, " * 40_000 + b"\r\n\r\nok",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_mail_made_to_take_long_ends_soon(name):
    found = read_reply(BOMBS[name])  # the standard library alone takes half a minute and more for the first of these
    assert found.kind in (Kind.ANSWER, Kind.UNREADABLE)


@given(st.binary(max_size=2000))
def test_whatever_comes_is_read_as_something(raw):
    read_reply(raw)


PIECES = [b"From: a@x\r\n", b"Content-Type: multipart/report; boundary=b\r\n", b"Content-Type: text/html\r\n", b"\r\n",
          b"--b\r\n", b"--b--\r\n", b"Content-Type: message/rfc822\r\n", b"Content-Type: message/delivery-status\r\n",
          b"Action: failed\r\n", b"Message-ID: <", b"Content-Transfer-Encoding: base64\r\n", b"=?utf-8?b?///?=\r\n",
          b"In-Reply-To: \xff\r\n", b"<p>", b"ok\r\n", b"Content-Type: text/plain; charset=\"\r\n", b"\0"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_whatever_is_put_together_of_mail_is_read_as_something(pieces):
    read_reply(b"".join(pieces))
