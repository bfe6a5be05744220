"""A link by which one contact acknowledges one stage of one incident: whoever holds it may do just that.

The token is `base64url(incident/episode/lapses/expiry/contact) . base64url(HMAC-SHA-256 of that, 128 bits)`: RFC 2104
allows half of the hash. Nothing is stored of it; it is void once what it says does not hold any more.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.core.answer import Stage
from monitor.core.ids import IncidentId

PATH = "/ack/"
LASTS = timedelta(hours=24)
"""How long a link can be used; longer than a night's sleep, shorter than a mailbox is kept."""
LONGEST_TOKEN = 512
"""Signs; a contact's id is a word of the inventory."""
_MAC_BYTES = 16
_PURPOSE = b"releve acknowledgement link 1\0"
"""What keeps a signature for anything else from passing for one of ours."""
_TOKEN = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class BadToken(ValueError):
    """It is no token of ours: damaged, forged, or signed with another key."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says: `contact` may acknowledge `stage` of `incident` until `expires_at` (to the second)."""

    incident: IncidentId
    stage: Stage
    contact: str
    expires_at: datetime


def token_of(claim: Claim, key: bytes) -> str:
    """Return `claim` as a token, signed with `key`."""
    expiry = int(claim.expires_at.timestamp())
    said = f"{claim.incident}/{claim.stage.episode}/{claim.stage.lapses}/{expiry}/{claim.contact}".encode()
    return f"{_encoded(said)}.{_encoded(_mac(said, key))}"


def link_of(claim: Claim, key: bytes, url: str) -> str:
    """Return the link below `url`, the base of links in messages."""
    return f"{url.rstrip('/')}{PATH}{token_of(claim, key)}"


def read_token(token: str, key: bytes) -> Claim:
    """Return what `token` says, if it was signed with `key`, whether it has expired or not. Raises BadToken.

    The signature is compared in constant time, and before anything that the token says is looked at.
    """
    match = _TOKEN.fullmatch(token) if len(token) <= LONGEST_TOKEN else None
    if match is None:
        raise BadToken("no token")
    said, mac = _decoded(match[1]), _decoded(match[2])
    if not key or not hmac.compare_digest(mac, _mac(said, key)):
        raise BadToken("not signed by us")
    try:
        incident, episode, lapses, expiry, contact = said.decode().split("/", 4)
        expires_at = datetime.fromtimestamp(int(expiry), UTC)
        return Claim(IncidentId(incident), Stage(int(episode), int(lapses)), contact, expires_at)
    except (ValueError, OverflowError) as error:
        raise BadToken("not of this version") from error


def _mac(said: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + said, "sha256")[:_MAC_BYTES]


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    """The bytes that `text` encodes; one text a value, so that no token can be written in two ways."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NoBase64, ValueError) as error:
        raise BadToken("no base64") from error
    if _encoded(data) != text:
        raise BadToken("not as we write it")
    return data
