"""Where mail goes out: `mailto(s)://user:password@host:port?from=...&name=...&mode=...&timeout=...&ca=...`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from alerts.parcel import TransportError
from monitor.core.text import Text, say
from monitor.core.units import BadUnit, parse_duration

SCHEMES = ("mailto", "mailtos")
PARAMETERS = ("ca", "from", "mode", "name", "timeout")
PLAIN_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT = 25, 587, 465
"""RFC 5321, RFC 6409, RFC 8314."""
TIMEOUT = 10.0
"""Seconds for one answer of the server unless the URL says otherwise."""


class Mode(StrEnum):
    """How the connection is protected. PLAIN is not at all; the other two verify the server's certificate."""

    PLAIN = "plain"
    STARTTLS = "starttls"
    SSL = "ssl"


@dataclass(frozen=True, slots=True)
class MailServer:
    """A submission server: `sender` stands in From, with `display` if it is given; `timeout` in seconds."""

    host: str
    port: int
    mode: Mode
    sender: str
    display: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = TIMEOUT
    ca: str = ""

    @property
    def name(self) -> str:
        """`host:port`, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_url(url: str) -> MailServer:
    """Return the server that `url` names.

    `mailtos` encrypts and verifies the certificate: from the first byte with `mode=ssl` or on port 465 (RFC 8314), by
    STARTTLS otherwise. `mailto` does not encrypt, and carries no password except to this very machine.

    Raises TransportError, `ours`, that says what is wrong without showing the URL, which holds a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        parameters = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _wrong(say("the mail URL cannot be read; write mailtos://user:password@host:port")) from error
    host = parts.hostname or ""
    if parts.scheme not in SCHEMES or not host:
        raise _wrong(say("the mail URL lacks its server; write mailtos://user:password@host:port"))
    unknown = sorted(set(parameters) - set(PARAMETERS))
    if unknown:
        known = ", ".join(PARAMETERS)
        raise _wrong(say("the mail URL has no parameter {name}; there are: {known}", name=unknown[0], known=known))
    given = {name: values[-1] for name, values in parameters.items()}
    mode = _mode(parts.scheme, given.get("mode", ""), port)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user and mode is Mode.PLAIN and not is_this_machine(host):
        raise _wrong(say("mailto:// would send the password to {host} in clear; write mailtos://", host=host))
    return MailServer(
        host=host,
        port=port or {Mode.PLAIN: PLAIN_PORT, Mode.STARTTLS: SUBMISSION_PORT, Mode.SSL: SUBMISSIONS_PORT}[mode],
        mode=mode,
        sender=_sender(given.get("from", ""), user, parts),
        display=given.get("name", ""),
        user=user,
        password=password,
        timeout=_timeout(given.get("timeout", "")),
        ca=given.get("ca", ""),
    )


def _mode(scheme: str, wanted: str, port: int | None) -> Mode:
    if scheme == "mailto":
        if wanted:
            raise _wrong(say("mode= in the mail URL needs mailtos://, mailto:// does not encrypt"))
        return Mode.PLAIN
    if not wanted:
        return Mode.SSL if port == SUBMISSIONS_PORT else Mode.STARTTLS
    if wanted not in (Mode.STARTTLS, Mode.SSL):
        raise _wrong(say("mode={mode} of the mail URL is neither starttls nor ssl", mode=wanted))
    return Mode(wanted)


def _sender(given: str, user: str, parts: SplitResult) -> str:
    """The address in From: as given, else the account's, else one at the server's own name."""
    if given or "@" in user:
        return given or user
    host = parts.hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        domain = host
    else:
        domain = f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
    return f"{user or 'releve'}@{domain}"


def _timeout(given: str) -> float:
    if not given:
        return TIMEOUT
    try:
        seconds = parse_duration(given).total_seconds()
    except BadUnit as error:
        raise _wrong(say("timeout={text} of the mail URL is no duration; write timeout=10s", text=given)) from error
    if seconds <= 0:
        raise _wrong(say("timeout={text} of the mail URL is no duration; write timeout=10s", text=given))
    return seconds


def is_this_machine(host: str) -> bool:
    """Return whether `host` is this very machine, whose own traffic nobody else reads."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrong(text: Text) -> TransportError:
    return TransportError(text, ours=True)
