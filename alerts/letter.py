"""A notice as a mail message (RFC 5322, RFC 2045): nothing that anybody wrote can become a header of its own."""

from __future__ import annotations

from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from alerts.invitation import organised
from alerts.language import translation
from alerts.mail_url import MailServer
from alerts.parcel import Parcel, TransportError
from monitor.core.text import N_, say

UNWRITTEN = N_("Relève cannot write its state at the moment: this message left from memory and is not on record yet.")


def letter(parcel: Parcel, server: MailServer) -> EmailMessage:
    """Return `parcel` as a message with a text part and an HTML part that say the same.

    The Message-ID and the date are the notice's own, so that a second attempt gives the same message. References name
    the first notice of the incident, which makes a thread of them. Auto-Submitted (RFC 3834) keeps absence
    replies away. Raises TransportError, permanent, for an address that is none.
    """
    notice = parcel.notice
    message = EmailMessage(policy=SMTP)
    _set_address(message, "From", _sender(parcel, server))
    _set_address(message, "To", _named(parcel.recipient_name, address_of(notice.address)))
    _set_words(message, "Subject", one_line(notice.message.subject))
    message["Date"] = notice.created_at
    message["Message-ID"] = f"<{notice.message_id}>"
    if notice.in_reply_to:
        message["In-Reply-To"] = message["References"] = f"<{notice.in_reply_to}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["X-Releve-Key"] = one_line(str(notice.key))
    if parcel.audit_head:
        message["X-Releve-Audit"] = one_line(parcel.audit_head)
    text, html = _bodies(parcel)
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    if notice.message.calendar:
        _add_calendar(message, parcel, server)
    # Set before, it would have become a header of the text part alone.
    message["Content-Language"] = notice.language
    return message


def _add_calendar(message: EmailMessage, parcel: Parcel, server: MailServer) -> None:
    """Add the invitation as a part that mail programs answer (RFC 6047), its organiser being the sender."""
    calendar, method = organised(parcel.notice.message.calendar, parcel.site_name, address_of(server.sender))
    message.add_alternative(
        calendar, subtype="calendar", cte="base64", params={"method": method.value, "charset": "utf-8"}
    )


def address_of(address: str) -> str:
    """Return `address` as SMTP takes it: an international domain in its ASCII form (RFC 5890).

    Raises TransportError, permanent, when it is no address.
    """
    local, at, domain = address.strip().rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        wire = f"{local}{at}{ascii_domain}"
        # The library's parser knows no letter outside ASCII (RFC 6531), so it is shown a stand-in.
        Address(addr_spec="".join(sign if sign.isascii() else "x" for sign in wire))
    except (ValueError, MessageError, IndexError) as error:
        raise _no_address(address) from error
    if not local or not domain or any(sign.isspace() or not sign.isprintable() for sign in wire):
        raise _no_address(address)
    return wire


def one_line(text: str) -> str:
    """Return `text` without line breaks and control characters; a header ends at a line break."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _set_words(message: EmailMessage, header: str, words: str) -> None:
    if words.isascii():
        message[header] = words
    else:
        message.set_raw(header, _encoded(header, words))


def _set_address(message: EmailMessage, header: str, address: Address) -> None:
    if address.display_name.isascii():
        message[header] = address
    else:
        message.set_raw(header, f"{_encoded(header, address.display_name)}\n <{address.addr_spec}>")


def _encoded(header: str, words: str) -> str:
    """`words` as encoded words (RFC 2047), in lines that need no more folding.

    EmailMessage's own folding loses or adds a space where it parts two of them (CPython 3.11).
    """
    return Header(words, "utf-8", header_name=header).encode()


def _sender(parcel: Parcel, server: MailServer) -> Address:
    try:
        return _named(server.display or parcel.site_name, server.sender)
    except TransportError as error:
        text = say("{address} is no mail address to send from; give from= in the mail URL", address=server.sender)
        raise TransportError(text, ours=True) from error


def _named(name: str, address: str) -> Address:
    wire = address_of(address)
    if wire.isascii():
        return Address(display_name=one_line(name), addr_spec=wire)
    local, _, domain = wire.rpartition("@")
    return Address(display_name=one_line(name), username=local, domain=domain)


def _no_address(address: str) -> TransportError:
    text = say("{address} is no mail address; correct it in the inventory", address=one_line(address))
    return TransportError(text, permanent=True)


def _bodies(parcel: Parcel) -> tuple[str, str]:
    message = parcel.notice.message
    if not parcel.warned:
        return message.text, message.html
    warning = translation(parcel.notice.language)(UNWRITTEN)
    return f"{message.text}\n\n{warning}\n", message.html.replace("</body>", f"<p>{warning}</p></body>")
