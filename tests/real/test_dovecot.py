"""Answers by mail through the real dovecot: by TLS and STARTTLS, filed in folders of ours, others' mail untouched."""

import asyncio
import contextlib
import email
import grp
import imaplib
import os
import pwd
import ssl
import subprocess
import tempfile
import time
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from alerts.imap_url import parse_imap_url
from alerts.mailbox import MOST_MAILS, Filing, Mark, visit
from alerts.parcel import TransportError
from alerts.reply import MOST_BYTES, Kind
from monitor.core.verdict import Severity
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store

PASSWORD = "gehéim %/@:1"
QUOTED = "geh%C3%A9im%20%25%2F%40%3A1"
SINCE = (datetime.now(UTC) - timedelta(days=2)).date()  # noqa: TID251 - dovecot dates mails by the machine's clock
CONFIGURATION = """\
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
default_login_user = {login}
default_internal_user = {user}
default_internal_group = {group}
first_valid_uid = 0
first_valid_gid = 0
ssl = required
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
disable_plaintext_auth = yes
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
imap_capability = {capability}
mail_location = {location}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
"""


@dataclass
class Dovecot:
    folder: Path
    port: int
    tls_port: int

    def url(self, scheme="imaps"):
        port = self.tls_port if scheme == "imaps" else self.port
        return f"{scheme}://releve:{QUOTED}@localhost:{port}/INBOX?ca={self.folder}/ca.pem&timeout=10s"

    @contextlib.contextmanager
    def person(self):
        """The mailbox as a person's mail program sees it."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        imap = imaplib.IMAP4_SSL("localhost", self.tls_port, ssl_context=context, timeout=20)
        try:
            imap.authenticate("PLAIN", lambda _: f"\0releve\0{PASSWORD}".encode())
            yield imap
        finally:
            imap.logout()

    def deliver(self, *mails):
        with self.person() as imap:
            for mail in mails:
                kind, _ = imap.append("INBOX", "", None, mail)
                assert kind == "OK"

    def subjects(self, folder):
        """Subject and flags of what lies in `folder`; None where there is no such folder."""
        with self.person() as imap:
            if imap.select(f'"{folder}"', readonly=True)[0] != "OK":
                return None
            found = []
            for number in imap.search(None, "ALL")[1][0].split():
                _, data = imap.fetch(number, "(FLAGS BODY.PEEK[HEADER])")
                found.append((email.message_from_bytes(data[0][1])["Subject"], data[0][0].decode()))
            return found


def accounts():
    """Who logs people in, who runs the rest, with its group, and whose the mails are: root may be none of them."""
    if os.geteuid() != 0:
        me = pwd.getpwuid(os.getuid())
        return me.pw_name, me.pw_name, grp.getgrgid(me.pw_gid).gr_name, me.pw_uid, me.pw_gid
    nobody = pwd.getpwnam("nobody")
    return "dovenull", "dovecot", "dovecot", nobody.pw_uid, nobody.pw_gid


@pytest.fixture
def dovecot(require, free_port):
    """Start a dovecot of this user's own, which ends with the test; keywords replace what its configuration says."""
    program = require("dovecot", "dovecot-imapd")
    require("/usr/lib/dovecot/imap", "dovecot-imapd")
    running = contextlib.ExitStack()

    def start(*, separator="/", capability="", mechanisms="plain login"):
        # A path short enough for its sockets, which its unprivileged users may walk through.
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="dovecot-")))
        folder.chmod(0o755)
        for name in ("run", "state", "home"):
            (folder / name).mkdir()
        login, user, group, uid, gid = accounts()
        os.chown(folder / "home", uid, gid)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate = authority.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(str(folder / "server.key"))
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(str(folder / "server.pem"), append=True)
        (folder / "users").write_text(f"releve:{{PLAIN.b64}}{b64encode(PASSWORD.encode()).decode()}\n")
        ports = free_port(), free_port()
        layout = ":LAYOUT=fs" if separator == "/" else ""
        (folder / "conf").write_text(
            CONFIGURATION.format(
                folder=folder,
                login=login,
                user=user,
                group=group,
                uid=uid,
                gid=gid,
                port=ports[0],
                tls_port=ports[1],
                location=f"maildir:{folder}/home/mail{layout}",
                capability=capability,
                mechanisms=mechanisms,
            )
        )
        process = subprocess.Popen([program, "-F", "-c", folder / "conf"], stdin=subprocess.DEVNULL)

        def stop():
            process.terminate()
            process.wait(20)

        running.callback(stop)
        made = Dovecot(folder, *ports)
        until = time.monotonic() + 20
        while True:
            try:
                with made.person():
                    return made
            except (OSError, imaplib.IMAP4.error):
                assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.05)

    with running:
        yield start


@dataclass
class Judge:
    """Files each mail by its subject line's stand-in: the Message-ID."""

    seen: list = field(default_factory=list)

    def __call__(self, reply):
        self.seen.append(reply)
        return {"d": Filing.DONE, "p": Filing.PARKED}.get(reply.id[0], Filing.LEFT)


def mail(name, body="ok\r\n", headers=""):
    return (
        f"From: Ann <ann@example.org>\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n"
        f"In-Reply-To: <abc@releve.invalid>\r\n{headers}\r\n{body}"
    ).encode()


def names(found):
    return [subject for subject, _ in found or []]


@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_answers_are_read_and_filed_and_other_mail_stays_unread_where_it_is(dovecot, scheme):
    box = dovecot()
    box.deliver(mail("done-1"), mail("other-1"), mail("parked-1"))
    judge, server = Judge(), parse_imap_url(box.url(scheme))
    mark = visit(server, SINCE, Mark(), judge)
    assert [(one.id, one.kind, one.line) for one in judge.seen] == [
        (f"{name}@example.org", Kind.ANSWER, "ok") for name in ("done-1", "other-1", "parked-1")
    ]
    assert judge.seen[0].sender == "ann@example.org" and judge.seen[0].answers == ("abc@releve.invalid",)
    assert names(box.subjects("Releve/done")) == ["done-1"]
    assert names(box.subjects("Releve/parked")) == ["parked-1"]
    [(subject, flags)] = box.subjects("INBOX")
    assert subject == "other-1" and r"\Seen" not in flags
    box.deliver(mail("done-2"))
    again = Judge()
    assert visit(server, SINCE, mark, again).uid > mark.uid
    assert [one.id for one in again.seen] == ["done-2@example.org"]
    assert names(box.subjects("Releve/done")) == ["done-1", "done-2"]


@pytest.mark.parametrize("capability", ["IMAP4rev1 UIDPLUS", "IMAP4rev1"])
def test_a_server_without_move_is_given_copies_and_nothing_is_judged_twice(dovecot, capability):
    box = dovecot(capability=capability)
    box.deliver(mail("done-1"), mail("other-1"))
    judge, server = Judge(), parse_imap_url(box.url())
    visit(server, SINCE, Mark(), judge)
    visit(server, SINCE, Mark(), judge)
    assert [one.id.partition("@")[0] for one in judge.seen] == ["done-1", "other-1", "other-1"]
    assert names(box.subjects("Releve/done")) == ["done-1"]
    left = [subject for subject, flags in box.subjects("INBOX") if r"\Deleted" not in flags]
    assert left == ["other-1"]


def test_a_server_with_another_separator_has_the_folders_too(dovecot):
    box = dovecot(separator=".")
    box.deliver(mail("done-1"))
    visit(parse_imap_url(box.url()), SINCE, Mark(), Judge())
    assert names(box.subjects("Releve.done")) == ["done-1"]


def test_a_bomb_is_read_a_portion_a_visit_and_each_mail_to_a_limit(dovecot):
    box = dovecot()
    large = mail("done-large", headers="X-Long: " + "x" * 70 + "\r\n " + ("y" * 70 + "\r\n ") * 40_000 + "z\r\n")
    assert len(large) > 10 * MOST_BYTES
    box.deliver(large, *(mail(f"done-{n}") for n in range(MOST_MAILS + 5)))
    judge, server = Judge(), parse_imap_url(box.url())
    mark = visit(server, SINCE, Mark(), judge)
    assert len(judge.seen) == MOST_MAILS
    visit(server, SINCE, mark, judge)
    assert len(judge.seen) == MOST_MAILS + 6
    assert box.subjects("INBOX") == []


def test_a_wrong_password_is_told_without_it(dovecot):
    box = dovecot()
    url = box.url().replace(QUOTED, "s3cret-and-wrong")
    with pytest.raises(TransportError, match="refuses") as refused:
        visit(parse_imap_url(url), SINCE, Mark(), Judge())
    assert refused.value.ours and "s3cret" not in str(refused.value.text)


def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(dovecot):
    box = dovecot()
    url = box.url().partition("?")[0]
    with pytest.raises(TransportError) as refused:
        visit(parse_imap_url(url), SINCE, Mark(), Judge())
    assert "certificate" in str(refused.value.text)


def test_what_the_judge_raises_ends_the_visit_and_the_mail_is_judged_again(dovecot):
    box = dovecot()
    box.deliver(mail("done-1"))

    def lost(reply):
        raise LookupError(reply.id)

    server = parse_imap_url(box.url())
    with pytest.raises(LookupError):
        visit(server, SINCE, Mark(), lost)
    judge = Judge()
    visit(server, SINCE, Mark(), judge)
    assert len(judge.seen) == 1 and names(box.subjects("Releve/done")) == ["done-1"]


SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Ann, mail: ann@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
operations: {to: [admin]}
replies: {imap: "env:TEST_IMAP_URL", every: 200ms}
"""


async def test_a_daemon_hears_ok_in_the_mailbox_and_files_it(dovecot, tmp_path, monkeypatch):
    box = await asyncio.to_thread(dovecot)
    monkeypatch.setenv("TEST_IMAP_URL", box.url())
    (tmp_path / "inventory.yaml").write_text(SITE, encoding="utf-8")
    reading = load(tmp_path / "inventory.yaml")
    assert reading.inventory is not None, reading.problems
    daemon = await Daemon.start(reading.inventory, open_store(tmp_path / "data", write=True, ballast=0))
    running = asyncio.create_task(daemon.run())
    incident = await daemon.desk.open("other", Severity.CRITICAL, "uid:0", "the disk is full")
    [notice] = await daemon.journal.notices(incident.id)
    answer = mail("yes", "Je m'en occupe.\r\n\r\n> Critique\r\n")
    answer = answer.replace(b"abc@releve.invalid", notice.message_id.encode())
    await asyncio.to_thread(box.deliver, answer, mail("unrelated").replace(b"ann@", b"stranger@"))
    async with asyncio.timeout(30):
        while daemon.desk.state.incidents[incident.id].acknowledged_by != "contact:admin":
            await asyncio.sleep(0.05)
        while names(await asyncio.to_thread(box.subjects, "Releve/done")) != ["yes"]:
            await asyncio.sleep(0.05)
    assert names(await asyncio.to_thread(box.subjects, "INBOX")) == ["unrelated"]
    daemon.stop()
    async with asyncio.timeout(30):
        await running
        await daemon.close()
