"""Mail by SMTP (RFC 5321): one message a recipient, our own Message-ID, and the server's answer kept."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import TypeVar

from alerts.letter import address_of, letter
from alerts.mail_url import MailServer, Mode, parse_url
from alerts.parcel import Parcel, Receipt, TransportError
from alerts.smtp_guard import GuardedSmtp, GuardedSmtps
from monitor.core.reasons import WORDS, reason
from monitor.core.text import ENGLISH, Text, say, verbatim

R = TypeVar("R")
ANSWER_LENGTH = 300
_POLICY_CODE = re.compile(r"\b5\.7\.\d")


@dataclass(slots=True)
class _Session:
    """A conversation in progress; `said` is the server's last answer."""

    smtp: smtplib.SMTP
    server: MailServer
    said: str = field(default="")


def send_mail(url: str, parcel: Parcel) -> Receipt:
    """Send one message and return the server's answer. It blocks; each answer is waited for `timeout` at most.

    Raises TransportError. Whether the server's refusal can be lifted by waiting depends on what it refused:

    1. Greeting, TLS, log-in, sender, and whatever it calls policy (530, 5.7.x: RFC 3463): the fault is `ours`.
    2. Recipient or content, with 5xx: permanent. With 4xx, and whenever the connection fails: neither.
    3. The connection ends after the message was handed over: nobody knows. It is sent again with the same
       Message-ID, so that the recipient's system can tell.
    """
    server = parse_url(url)
    message = letter(parcel, server)
    with _conversation(server) as session:
        _deliver(session, message, address_of(parcel.notice.address))
        receipt = Receipt(session.said)
        _take_leave(session.smtp)
    return receipt


@contextmanager
def _conversation(server: MailServer) -> Iterator[_Session]:
    """A session that is open, encrypted and logged in as the URL demands; closed in any case."""
    session = _Session(_connected(server), server)
    try:
        _step(session, _greet)
        if server.mode is Mode.STARTTLS:
            _step(session, _encrypt)
            _step(session, _greet)
        if server.user:
            _step(session, _log_in)
        yield session
    finally:
        session.smtp.close()


def _connected(server: MailServer) -> smtplib.SMTP:
    # The name for EHLO is given at once: smtplib would ask the DNS for it, which may be what is down.
    me = _own_name()
    try:
        if server.mode is Mode.SSL:
            return GuardedSmtps(
                server.host, server.port, local_hostname=me, timeout=server.timeout, context=_trust(server)
            )
        return GuardedSmtp(server.host, server.port, local_hostname=me, timeout=server.timeout)
    except smtplib.SMTPConnectError as error:
        answer = _answer(server, error.smtp_code, error.smtp_error)
        raise TransportError(say("{server} does not want us: {answer}", server=server.name, answer=answer)) from error
    except (OSError, smtplib.SMTPException) as error:
        raise _broken(server, error) from error


def _own_name() -> str:
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _trust(server: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=server.ca or None)
    except (OSError, ssl.SSLError) as error:
        text = say("cannot read the certificate authority {path} of the mail URL (ca=)", path=server.ca)
        raise TransportError(text, ours=True) from error


def _step(session: _Session, step: Callable[[_Session], R]) -> R:
    """Carry out one step; whatever the connection does is a TransportError that names the server."""
    try:
        return step(session)
    except (OSError, smtplib.SMTPException) as error:
        raise _broken(session.server, error) from error


def _greet(session: _Session) -> None:
    try:
        session.smtp.ehlo_or_helo_if_needed()
    except smtplib.SMTPHeloError as error:
        raise _refused(session, error.smtp_code, error.smtp_error, say("our greeting"), ours=True) from error


def _encrypt(session: _Session) -> None:
    smtp, server = session.smtp, session.server
    if not smtp.has_extn("starttls"):
        text = say(
            "{server} offers no encryption (STARTTLS), so nothing was sent to it. "
            "Ask its administrator, or give mode=ssl and its port in the mail URL",
            server=server.name,
        )
        raise TransportError(text, ours=True)
    try:
        code, said = smtp.starttls(context=_trust(server))
    except smtplib.SMTPResponseException as error:
        raise _refused(session, error.smtp_code, error.smtp_error, say("encryption"), ours=True) from error
    if code != 220:
        raise _refused(session, code, said, say("encryption"), ours=True)


def _log_in(session: _Session) -> None:
    server = session.server
    try:
        session.smtp.login(server.user, server.password)
    except smtplib.SMTPNotSupportedError as error:
        text = say("{server} offers no log-in that we know; leave user and password out of its URL", server=server.name)
        raise TransportError(text, ours=True) from error
    except smtplib.SMTPAuthenticationError as error:
        what = say("the log-in of {user}", user=server.user)
        raise _refused(session, error.smtp_code, error.smtp_error, what, ours=True) from error
    except UnicodeEncodeError as error:
        text = say(
            "the password for {server} holds a sign that is not in ASCII; SMTP cannot carry it", server=server.name
        )
        raise TransportError(text, ours=True) from error


def _deliver(session: _Session, message: EmailMessage, recipient: str) -> None:
    smtp, server = session.smtp, session.server
    international = not (recipient + server.sender).isascii()
    if international and not smtp.has_extn("smtputf8"):
        text = say("{server} cannot write to {address}, which is not in ASCII", server=server.name, address=recipient)
        raise TransportError(text, permanent=True)
    options = ["SMTPUTF8", "BODY=8BITMIME"] if international else []
    body = message.as_bytes(policy=SMTPUTF8 if international else SMTP)

    def sender(_: _Session) -> None:
        _expect(session, *smtp.mail(server.sender, options), say("the sender {address}", address=server.sender), True)

    def to(_: _Session) -> None:
        _expect(session, *smtp.rcpt(recipient), say("the recipient {address}", address=recipient))

    _step(session, sender)
    _step(session, to)
    _hand_over(session, body)


def _hand_over(session: _Session, body: bytes) -> None:
    what = say("the message")
    try:
        code, said = session.smtp.data(body)
    except smtplib.SMTPDataError as error:
        raise _refused(session, error.smtp_code, error.smtp_error, what) from error
    except (OSError, smtplib.SMTPServerDisconnected) as error:
        text = say(
            "{server} did not confirm the message ({why}); it may have it, so it is sent again under the same number",
            server=session.server.name,
            why=_why(session.server, error),
        )
        raise TransportError(text) from error
    _expect(session, code, said, what)


def _expect(session: _Session, code: int, said: bytes, what: Text, ours: bool = False) -> None:
    if code not in (250, 251, 252):
        raise _refused(session, code, said, what, ours=ours)
    session.said = _answer(session.server, code, said)


def _refused(session: _Session, code: int, said: bytes | str, what: Text, *, ours: bool = False) -> TransportError:
    """The error for a negative answer (RFC 5321, 4.2.1: 4xx may pass, 5xx will not)."""
    answer = _answer(session.server, code, said)
    text = say("{server} refuses {what}: {answer}", server=session.server.name, what=what, answer=answer)
    if not 500 <= code < 600:
        return TransportError(text)
    policy = ours or code == 530 or _POLICY_CODE.search(answer) is not None
    return TransportError(text, permanent=not policy, ours=policy)


def _broken(server: MailServer, error: Exception) -> TransportError:
    """The error for a connection that failed; a certificate that does not fit is ours to mend."""
    why = _why(server, error)
    if isinstance(error, ssl.SSLCertVerificationError):
        text = say(
            "the certificate of {server} is not to be trusted ({why}), so nothing was sent to it. "
            "Name its authority by ca=FILE in the mail URL, or have the certificate renewed",
            server=server.name,
            why=why,
        )
        return TransportError(text, ours=True)
    return TransportError(say("the connection to {server} failed: {why}", server=server.name, why=why))


def _why(server: MailServer, error: Exception) -> Text:
    if isinstance(error, ssl.SSLCertVerificationError):
        return verbatim(error.verify_message)
    if isinstance(error, TimeoutError):
        return say("timed out")
    if isinstance(error, smtplib.SMTPResponseException):
        return verbatim(_answer(server, error.smtp_code, error.smtp_error))
    why = reason(error)
    return why if why.template in WORDS else verbatim(_shown(server, ENGLISH.render(why)))


def _answer(server: MailServer, code: int, said: bytes | str) -> str:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return _shown(server, f"{code} {words}" if code > 0 else words)


def _shown(server: MailServer, words: str) -> str:
    """`words` of a server in one line of fair length, with nothing in it that opens our account."""
    if server.password:
        secret, user = server.password.encode(), server.user.encode()
        for hidden in (secret, b64encode(secret), b64encode(b"\0" + user + b"\0" + secret)):
            words = words.replace(hidden.decode(), "***")
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())
    return line if len(line) <= ANSWER_LENGTH else line[: ANSWER_LENGTH - 1] + "…"


def _take_leave(smtp: smtplib.SMTP) -> None:
    try:
        smtp.quit()
    except (OSError, smtplib.SMTPException):
        # The message is accepted: how the server ends the conversation changes nothing any more.
        return
