"""Where answers come in, as the inventory says it."""

from datetime import timedelta

import pytest

from monitor.inventory.model import Replies
from monitor.secret import Secret

SITE = """\
site: {name: Petit site}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:X"}, mailer: {url: "mailto://mx"}, sms: {url: "gammu:/var/spool/gammu"}}
operations: {to: [admin]}
"""


def test_without_it_no_answer_is_read(read):
    assert read(SITE).inventory.replies is None
    assert read(SITE + "replies:\n").inventory.replies is None


def test_a_mailbox_and_how_often_it_is_looked_into(read, monkeypatch, tmp_path):
    monkeypatch.setenv("BOX", "imaps://a:b@mx")
    assert read(SITE + "replies: {imap: env:BOX}\n").inventory.replies == Replies(
        Secret("env:BOX"), timedelta(seconds=30)
    )
    loaded = read(SITE + "replies: {imap: file:box, every: 2 min}\n", box="imaps://a:b@mx")
    assert loaded.inventory.replies == Replies(Secret(f"file:{tmp_path / 'box'}"), timedelta(minutes=2))


def test_a_modem_whose_inbox_is_read(read):
    assert read(SITE + "replies: {sms: sms}\n").inventory.replies == Replies(None, timedelta(seconds=30), "sms")
    assert read(SITE + "replies: {sms: mail}\n").inventory.replies.sms == "mail"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{}", "5:1 replies: no answer comes in: there is neither a mailbox nor a modem"),
        ("{imap: 'imaps://a:b@mx'}", "5:17 replies.imap: this secret stands here in clear"),
        ("{imap: env:X, every: 0 s}", "5:31 replies.every: "),
        ("{imap: env:X, evry: 5 s}", "5:24 replies.evry: unknown key evry"),
        ("5", "5:10 replies: "),
        ("{sms: telex}", "5:16 replies.sms: there is no channel telex"),
        ("{sms: mailer}", "5:16 replies.sms: no SMS comes in by the channel mailer"),
    ],
)
def test_what_is_wrong_with_it_is_said_where_it_stands(read, lines, written, problem, monkeypatch):
    monkeypatch.setenv("X", "x")
    loaded = read(SITE + f"replies: {written}\n")
    assert loaded.inventory is None
    (line,) = lines(loaded.problems)
    assert line.startswith(problem)
