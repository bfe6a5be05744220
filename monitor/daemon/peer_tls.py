"""Who the Relève at the other end is: TLS 1.3, a certificate at both ends, and the name that it was made for."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.core.text import Text, say
from monitor.secret import Secret, Unresolved


class BadIdentity(Exception):
    """A certificate or a key that cannot be used; `text` says which and why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


@dataclass(frozen=True, slots=True)
class Identity:
    """Our own certificate (PEM, with what leads to the authority) and its key, and the authority `ca` of both ends."""

    ca: Secret
    cert: Secret
    key: Secret


def client_context(identity: Identity) -> ssl.SSLContext:
    """Return the context of whoever connects: it shows our certificate, and the host's must be for its name.

    Raises BadIdentity.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, identity)


def server_context(identity: Identity) -> ssl.SSLContext:
    """Return the context of whoever is connected to: nobody gets further without a certificate of the authority.

    Raises BadIdentity. Whose name it is for is asked of `is_for` once the connection stands.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def take_up(context: ssl.SSLContext, identity: Identity) -> None:
    """Let `context` show our certificate as it is now: it may have been renewed. Raises BadIdentity."""
    certificate, key = _revealed(identity.cert), _revealed(identity.key)
    one, other = _in_memory(certificate), _in_memory(key)
    try:
        # The names of descriptors, because OpenSSL reads files only, and a secret has no business on a disk.
        context.load_cert_chain(f"/proc/self/fd/{one}", f"/proc/self/fd/{other}", password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        text = say("our certificate for the other Relève, or its key, cannot be used ({why})", why=_reason(error))
        raise BadIdentity(text) from error
    finally:
        os.close(one)
        os.close(other)


def is_for(certificate: Mapping[str, Any] | None, host: str) -> bool:
    """Return whether `certificate` (as `ssl` gives it) was made for `host`, a name or an address.

    Only whole names count (RFC 9525, 6.3): a wildcard would let any machine of the domain be the other Relève.
    """
    names = (certificate or {}).get("subjectAltName", ())
    try:
        wanted = ipaddress.ip_address(host)
    except ValueError:
        return any(kind == "DNS" and str(name).lower() == host.lower().rstrip(".") for kind, name in names)
    return any(kind == "IP Address" and _address(str(name)) == wanted for kind, name in names)


def _address(name: str) -> Any:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _context(protocol: int, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cadata=_revealed(identity.ca))
    except (ssl.SSLError, ValueError) as error:
        text = say("the authority of the two Relèves is no certificate in PEM ({why})", why=_reason(error))
        raise BadIdentity(text) from error
    take_up(context, identity)
    return context


def _revealed(secret: Secret) -> str:
    try:
        return secret.reveal()
    except Unresolved as error:
        raise BadIdentity(error.text) from error


def _in_memory(text: str) -> int:
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    os.write(descriptor, text.encode() + b"\n")
    return descriptor


def _no_password() -> str:
    """An encrypted key would make OpenSSL ask at the terminal, where nobody sits."""
    return ""


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)
