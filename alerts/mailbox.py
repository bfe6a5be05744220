"""Fetching what came in by IMAP (RFC 3501): a bounded visit to the mailbox, each mail judged and filed before the next.

Only what `judge` claims is moved; everybody else's mail stays as it is, unread. A mail that was judged and could not be
moved is judged again, so whoever judges knows it by its own id.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from threading import Timer
from typing import Any

from alerts.imap_url import MailServer
from alerts.letter import one_line
from alerts.mail_url import Mode
from alerts.parcel import TransportError
from alerts.reply import MOST_BYTES, Reply, read_reply
from monitor.core.reasons import WORDS, reason
from monitor.core.text import ENGLISH, Text, say, verbatim

MOST_MAILS = 25
"""Judged in one visit; the others wait for the next one."""
LONGEST_VISIT = 60.0
"""Seconds after which a visit is cut off, however the server dribbles."""
MOST_SAID = 32 * 2**20
"""Bytes that a server may say in one visit: `MOST_MAILS` mails as they are cut, a list of some million mails."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DELIMITER = re.compile(rb'\)\s+"(.)"')
_PARENT = "Releve"


class Filing(StrEnum):
    """Where a mail goes once it was judged: the folder below `Releve`, or nowhere."""

    DONE = "done"
    PARKED = "parked"
    """A person has to read it."""
    LEFT = ""
    """It is none of ours."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a mailbox was read: mails up to `uid`, as long as the mailbox is `validity` (RFC 3501, 2.3.1.1)."""

    validity: str = ""
    uid: int = 0


@dataclass(slots=True)
class _Box:
    imap: imaplib.IMAP4
    able: frozenset[str]
    folders: dict[Filing, str]


def visit(server: MailServer, since: date, mark: Mark, judge: Callable[[Reply], Filing]) -> Mark:
    """Judge and file what came in after `mark`, and not before `since`; return how far that went. It blocks.

    Raises TransportError where the mailbox cannot be read; what was filed until then is filed. What `judge` raises
    ends the visit as well, and that mail is judged again by the next one.
    """
    with _session(server) as imap:
        _ask(server, imap.select, _quoted(server.folder))
        validity = (imap.response("UIDVALIDITY")[1] or [b""])[0] or b""
        known = mark if mark.validity == validity.decode("ascii", "replace") else Mark(validity.decode("ascii"), 0)
        words = b" ".join(word for word in _ask(server, imap.capability) if isinstance(word, bytes))
        box, unfiled = _Box(imap, frozenset(words.decode("ascii", "replace").upper().split()), {}), None
        for uid in _arrived(server, imap, since, known)[:MOST_MAILS]:
            raw = _fetched(server, imap, uid)
            if raw is not None:
                filing = judge(read_reply(raw))
                try:
                    _file(server, box, uid, filing)
                except TransportError as error:  # a full mailbox must not keep the next answer from being heard
                    unfiled = error
            known = Mark(known.validity, uid)
        if unfiled is not None:
            raise unfiled
    return known


class _Guarded(imaplib.IMAP4):
    """IMAP that is cut off after `LONGEST_VISIT`, and after `MOST_SAID` bytes."""

    _limit: Timer | None = None
    _left = MOST_SAID

    def open(self, *where: Any, **also: Any) -> None:
        super().open(*where, **also)
        self._limit = Timer(LONGEST_VISIT, self._cut)
        self._limit.daemon = True
        self._limit.start()

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise self.abort("there is no end to what the server says")
        return super().read(size)

    def readline(self) -> bytes:
        line = super().readline()
        self._left -= len(line)
        if self._left < 0:
            raise self.abort("there is no end to what the server says")
        return line

    def shutdown(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        super().shutdown()

    def _cut(self) -> None:
        """End a conversation from outside; its thread wakes up with an error."""
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # under TLS too, of which the thread is in the midst


class _GuardedTls(_Guarded, imaplib.IMAP4_SSL):
    """The same with TLS from the first byte."""


@contextmanager
def _session(server: MailServer) -> Iterator[imaplib.IMAP4]:
    """A session that is open, encrypted and logged in as the URL demands; closed in any case."""
    imap: imaplib.IMAP4 | None = None
    try:
        imap = _connected(server)
        if server.mode is Mode.STARTTLS:
            if "STARTTLS" not in imap.capabilities:
                raise _refused(server, say("it offers no encryption (STARTTLS)"))
            imap.starttls(_trust(server))
        _log_in(server, imap)
        yield imap
    except (OSError, imaplib.IMAP4.error, UnicodeError) as error:
        raise _broken(server, error) from error
    finally:
        if imap is not None:
            with suppress(OSError, imaplib.IMAP4.error):
                imap.shutdown()


def _connected(server: MailServer) -> imaplib.IMAP4:
    if server.mode is Mode.SSL:
        return _GuardedTls(server.host, server.port, ssl_context=_trust(server), timeout=server.timeout)
    return _Guarded(server.host, server.port, timeout=server.timeout)


def _trust(server: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=server.ca or None)
    except (OSError, ssl.SSLError) as error:
        text = say("cannot read the certificate authority {path} of the IMAP URL (ca=)", path=server.ca)
        raise TransportError(text, ours=True) from error


def _log_in(server: MailServer, imap: imaplib.IMAP4) -> None:
    secret = f"\0{server.user}\0{server.password}".encode()
    try:
        if "AUTH=PLAIN" in imap.capabilities:
            imap.authenticate("PLAIN", lambda _: secret)  # carries every sign, which LOGIN does not
        else:
            imap.login(server.user, server.password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        what = say("the log-in of {user}: {why}", user=server.user, why=_shown(server, str(error)))
        raise _refused(server, what) from error


def _ask(server: MailServer, work: Callable[..., tuple[str, Any]], *arguments: Any) -> Any:
    """Return what the server answers. Raises TransportError where it says no."""
    kind, data = work(*arguments)
    if kind != "OK":
        said = data[0] if data and isinstance(data[0], bytes) else b""
        raise _refused(server, verbatim(_shown(server, said.decode("utf-8", "replace") or kind)))
    return data


def _quoted(name: str) -> str:
    return f'"{name}"'


def _arrived(server: MailServer, imap: imaplib.IMAP4, since: date, mark: Mark) -> list[int]:
    """The mails after `mark`, oldest first. `n:*` also names the last one, whatever its number."""
    day = f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}"
    data = _ask(server, imap.uid, "SEARCH", "UNDELETED", "SINCE", day, "UID", f"{mark.uid + 1}:*")
    words = b" ".join(line for line in data if isinstance(line, bytes)).split()
    return sorted(uid for uid in map(int, filter(bytes.isdigit, words)) if uid > mark.uid)


def _fetched(server: MailServer, imap: imaplib.IMAP4, uid: int) -> bytes | None:
    """The beginning of a mail, which stays unread; None where somebody else took it away meanwhile."""
    data = _ask(server, imap.uid, "FETCH", str(uid), f"(BODY.PEEK[]<0.{MOST_BYTES}>)")
    return next((part[1] for part in data if isinstance(part, tuple)), None)


def _file(server: MailServer, box: _Box, uid: int, filing: Filing) -> None:
    """Move a mail. Without MOVE (RFC 6851) it is copied first, and only then marked as deleted."""
    if filing is Filing.LEFT:
        return
    folder, imap, one = _folder(server, box, filing), box.imap, str(uid)
    if "MOVE" in box.able:
        _ask(server, imap.uid, "MOVE", one, folder)
        return
    _ask(server, imap.uid, "COPY", one, folder)
    _ask(server, imap.uid, "STORE", one, "+FLAGS.SILENT", r"(\Deleted)")
    if "UIDPLUS" in box.able:
        # Without it, EXPUNGE would also take what others marked; ours stay marked and are passed over.
        _ask(server, imap.uid, "EXPUNGE", one)


def _folder(server: MailServer, box: _Box, filing: Filing) -> str:
    """The folder for `filing`, made if it is not there."""
    if filing not in box.folders:
        listed = _ask(server, box.imap.list, '""', '""')
        found = _DELIMITER.search(listed[0] if listed and isinstance(listed[0], bytes) else b"")
        sign = found[1].decode("ascii", "replace") if found is not None else "/"
        name = f"{_PARENT}{sign}{filing.value}"
        # Some servers keep everything below INBOX (RFC 2342), and say no to what is beside it.
        tries = [name, f"INBOX{sign}{name}"]
        there = [one for one in tries if _exists(box.imap, one) or box.imap.create(_quoted(one))[0] == "OK"]
        if not there:
            raise _refused(server, say("the folder {name}", name=name))
        box.folders[filing] = _quoted(there[0])
    return box.folders[filing]


def _exists(imap: imaplib.IMAP4, name: str) -> bool:
    kind, data = imap.list('""', _quoted(name))
    return kind == "OK" and any(data)


def _refused(server: MailServer, what: Text) -> TransportError:
    return TransportError(say("the mailbox at {server} refuses: {what}", server=server.name, what=what), ours=True)


def _broken(server: MailServer, error: Exception) -> TransportError:
    if isinstance(error, ssl.SSLCertVerificationError):
        why: Text = say("its certificate is not to be trusted ({why})", why=error.verify_message)
    elif isinstance(error, TimeoutError):
        why = say("timed out")
    else:
        known = reason(error) if isinstance(error, OSError) else verbatim(str(error))
        why = known if known.template in WORDS else verbatim(_shown(server, ENGLISH.render(known)))
    return TransportError(say("the mailbox at {server} cannot be read: {why}", server=server.name, why=why))


def _shown(server: MailServer, words: str) -> str:
    """`words` of a server in one line of fair length, without our password."""
    if server.password:
        secret, user = server.password.encode(), server.user.encode()
        for hidden in (secret, b64encode(secret), b64encode(b"\0" + user + b"\0" + secret)):
            words = words.replace(hidden.decode(), "***")
    return one_line(words)[:300]
