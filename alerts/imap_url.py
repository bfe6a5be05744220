"""Where answers come in: `imaps://user:password@host:port/FOLDER?ca=...&timeout=...&mode=...`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from alerts.mail_url import TIMEOUT, Mode, is_this_machine
from alerts.parcel import TransportError
from monitor.core.text import Text, say
from monitor.core.units import BadUnit, parse_duration

PARAMETERS = ("ca", "mode", "timeout")
IMAP_PORT, IMAPS_PORT = 143, 993
"""RFC 9051, RFC 8314."""
_FOLDER = re.compile(r"[ !#-\[\]-~]{1,200}")
"""Printable ASCII without what would end a quoted string: other names need another encoding (RFC 3501, 5.1.3)."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mailbox: `folder` is where answers arrive, `timeout` in seconds, `ca` a file of certificates, empty for the
    system's."""

    host: str
    port: int
    mode: Mode
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    timeout: float = TIMEOUT
    ca: str = ""

    @property
    def name(self) -> str:
        """`host:port`, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_imap_url(url: str) -> MailServer:
    """Return the mailbox that `url` names.

    `imaps` encrypts from the first byte; `imap` by STARTTLS, which the server must offer. Both verify the certificate.
    `mode=plain` does not encrypt, and is for this very machine only.

    Raises TransportError, `ours`, that says what is wrong without showing the URL, which holds a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        parameters = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _wrong(say("the IMAP URL cannot be read; write imaps://user:password@host:port")) from error
    host, user = parts.hostname or "", unquote(parts.username or "")
    if parts.scheme not in ("imap", "imaps") or not host or not user:
        raise _wrong(say("the IMAP URL lacks its server or its user; write imaps://user:password@host:port"))
    unknown = sorted(set(parameters) - set(PARAMETERS))
    if unknown:
        known = ", ".join(PARAMETERS)
        raise _wrong(say("the IMAP URL has no parameter {name}; there are: {known}", name=unknown[0], known=known))
    given = {name: values[-1] for name, values in parameters.items()}
    folder = unquote(parts.path.strip("/")) or "INBOX"
    if not _FOLDER.fullmatch(folder):
        raise _wrong(say("the folder in the IMAP URL is to be plain ASCII, such as INBOX"))
    mode = _mode(parts.scheme, given.get("mode", ""), host)
    return MailServer(
        host=host,
        port=port or (IMAPS_PORT if mode is Mode.SSL else IMAP_PORT),
        mode=mode,
        user=user,
        password=unquote(parts.password or ""),
        folder=folder,
        timeout=_timeout(given.get("timeout", "")),
        ca=given.get("ca", ""),
    )


def _mode(scheme: str, wanted: str, host: str) -> Mode:
    if scheme == "imaps":
        if wanted not in ("", Mode.SSL):
            raise _wrong(say("imaps:// encrypts from the first byte; leave mode= out, or write imap://"))
        return Mode.SSL
    if wanted in ("", Mode.STARTTLS):
        return Mode.STARTTLS
    if wanted != Mode.PLAIN:
        raise _wrong(say("mode={mode} of the IMAP URL is neither starttls nor plain", mode=wanted))
    if not is_this_machine(host):
        raise _wrong(say("mode=plain would send the password to {host} in clear; write imaps://", host=host))
    return Mode.PLAIN


def _timeout(given: str) -> float:
    try:
        seconds = parse_duration(given).total_seconds() if given else TIMEOUT
    except BadUnit:
        seconds = 0.0
    if seconds <= 0:
        raise _wrong(say("timeout={text} of the IMAP URL is no duration; write timeout=10s", text=given))
    return seconds


def _wrong(text: Text) -> TransportError:
    return TransportError(text, ours=True)
