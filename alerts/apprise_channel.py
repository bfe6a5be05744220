"""Every other message service (SMS gateways, Telegram, Teams, webhooks ...) by Apprise.

Apprise takes 0.3 s to import, so this module is imported when such a channel is first used.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from apprise import Apprise, AppriseAsset, AppriseResult, AppriseResultStatus, NotifyBase, NotifyFormat

from alerts.language import translation
from alerts.letter import UNWRITTEN, one_line
from alerts.parcel import Parcel, Receipt, TransportError
from monitor.core.text import say

TIMEOUT = 30.0
"""Seconds for one attempt, whatever the service's own limits are."""
SHORT = 480
"""Characters: a service that takes no title and no more than this is spoken to as by SMS."""
SHORTEST_TOKEN = 6
"""Characters: a shorter piece of a URL, unless it is the password, is a word of its service."""
PLACE = "{address}"
"""Stands in a channel's URL where the contact's address belongs."""
logging.getLogger("apprise").propagate = False
logging.getLogger("apprise").addHandler(logging.NullHandler())
logging.getLogger("urllib3").setLevel(logging.ERROR)
"""Both write URLs with their tokens into the log, Apprise those that it cannot read, urllib3 those whose answer has a
strange header. What went wrong is told by our own words."""
_STATUS = re.compile(r"error=(\d{3})")
_TRY_AGAIN = frozenset({408, 425, 429})
"""Request Timeout, Too Early, Too Many Requests: the only 4xx that waiting can mend (RFC 9110, 8470, 6585)."""


def send_by_apprise(url: str, parcel: Parcel, timeout: float = TIMEOUT) -> Receipt:
    """Send one message by the service that `url` names, within `timeout` seconds, and return what Apprise says of it.

    The contact's address takes the place of `{address}` in the URL; without such a place it is given as the target if
    the service has targets. Raises TransportError; a service that did not answer in time may have the message.
    """
    service = service_of(url, parcel.notice.address)
    if service is None:
        text = say("Apprise cannot read the URL of the channel {channel}", channel=parcel.channel.id)
        raise TransportError(text, ours=True)
    name = str(service.service_name)
    with _sent(service, parcel, timeout) as result:
        if result:
            return Receipt(f"{name}: accepted")
        raise _failed(name, result, _secrets(url))


def service_of(url: str, address: str) -> NotifyBase | None:
    """Return the service with the contact's address in its place, or None when Apprise cannot read the URL."""
    asset = AppriseAsset(async_mode=False, secure_logging=True, service_timeout=TIMEOUT)
    filled = quote(address, safe="")
    if PLACE in url:
        return _made(Apprise.instantiate(url.replace(PLACE, filled), asset=asset))
    service = _made(Apprise.instantiate(url, asset=asset))
    if service is None or not address or "to" not in service.template_args:
        return service
    joint = "&" if "?" in url else "?"
    return _made(Apprise.instantiate(f"{url}{joint}to={filled}", asset=asset))


def _made(service: object) -> NotifyBase | None:
    return service if isinstance(service, NotifyBase) else None


def _sent(service: NotifyBase, parcel: Parcel, timeout: float) -> AppriseResult:
    message = parcel.notice.message
    title, body = message.subject, message.text
    if service.title_maxlen == 0 and service.body_maxlen <= SHORT:
        title, body = "", message.short
    elif parcel.warned:
        body = f"{body}\n\n{translation(parcel.notice.language)(UNWRITTEN)}"
    post = Apprise()
    post.add(service)
    return post.notify(body=body, title=title, body_format=NotifyFormat.TEXT, timeout=timeout)


def _failed(name: str, result: AppriseResult, secrets: tuple[str, ...]) -> TransportError:
    words = ""
    for entry in result.logs():
        words = one_line(str(entry.message))
    for secret in secrets:
        words = words.replace(secret, "***")
    if result.status is AppriseResultStatus.TIMEOUT:
        text = say("{service} did not answer in time; it may have the message, and it is sent again", service=name)
        return TransportError(text)
    status = _STATUS.search(words)
    ours = status is not None and 400 <= int(status[1]) < 500 and int(status[1]) not in _TRY_AGAIN
    return TransportError(say("{service} did not accept the message: {why}", service=name, why=words or "?"), ours=ours)


def _secrets(url: str) -> tuple[str, ...]:
    """Whatever in `url` may open an account, longest first: all of it but the scheme, in both ways of writing."""
    parts = urlsplit(url)
    pieces = [parts.username, parts.netloc, *parts.path.split("/")]
    pieces += [value for _, value in parse_qsl(parts.query)]
    found = {form for piece in pieces if piece for form in (piece, unquote(piece)) if len(form) >= SHORTEST_TOKEN}
    found |= {form for form in (parts.password or "", unquote(parts.password or "")) if form}
    return tuple(sorted(found, key=len, reverse=True))
