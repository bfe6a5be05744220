"""SMS by a GSM modem at the site: the file backend of gammu-smsd (gammu-smsd-files(7)), as `gammu:/var/spool/gammu`.

It needs no network, so it still works when the link is what failed.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from alerts.parcel import Parcel, Receipt, TransportError
from monitor.core.reasons import reason
from monitor.core.text import Quantity, say
from monitor.core.units import BadUnit, parse_duration

WAIT = 60.0
"""Seconds in which the modem must have taken a message; an SMS takes some 5 s, and several may queue."""
POLL = 0.2
TAKEN = "gammu-smsd: OK"
"""What stands for the answer of a server, in no language: gammu-smsd only moves a file."""
_NUMBER = re.compile(r"\+?\d{3,15}")
"""ITU-T E.164: at most 15 digits."""
_SPACING = re.compile(r"[\s().\-/]")


def send_sms(url: str, parcel: Parcel) -> Receipt:
    """Put the notice's short form into the modem's outbox and wait until gammu-smsd has sent it.

    `?wait=60s` in the URL says how long. The file's name is made of the Message-ID, so a second attempt is the same
    file, and one that was sent before a crash is recognised. Raises TransportError; a message that the modem did not
    take in time is withdrawn, so that another channel may carry it instead.
    """
    spool, wait = _parsed(url)
    name = file_name(parcel)
    outbox, sent, failed = _folder(spool, "outbox"), spool / "sent" / name, spool / "error" / name
    if sent.exists():
        return Receipt(TAKEN)
    failed.unlink(missing_ok=True)
    waiting = outbox / name
    _write(waiting, parcel.notice.message.short)
    deadline = time.monotonic() + wait
    while waiting.exists() and time.monotonic() < deadline:
        time.sleep(POLL)
    if failed.exists():
        raise TransportError(say("gammu-smsd could not send the SMS; its log says why"))
    if _withdrawn(waiting):
        span = Quantity(wait, "s")
        raise TransportError(say("gammu-smsd did not take the SMS within {span}: does it run?", span=span))
    return Receipt(TAKEN)


def file_name(parcel: Parcel) -> str:
    """Return `OUT<priority><date>_<time>_<serial>_<number>_<note>.txt`, as gammu-smsd(7) reads it.

    Raises TransportError, permanent, for an address that is no telephone number.
    """
    notice = parcel.notice
    number = _SPACING.sub("", notice.address)
    if not _NUMBER.fullmatch(number):
        text = say("{address} is no telephone number; correct it in the inventory", address=notice.address)
        raise TransportError(text, permanent=True)
    moment = notice.created_at.strftime("%Y%m%d_%H%M%S")
    note = re.sub(r"\W|_", "", notice.message_id.partition("@")[0])[:32]
    return f"OUTA{moment}_00_{number}_{note}.txt"


def spool_of(url: str) -> Path:
    """Return the folder that a gammu URL names. Raises TransportError, `ours`, for any other."""
    if not url.startswith("gammu:"):
        raise TransportError(say("answers by SMS come in by a gammu: channel only"), ours=True)
    return _parsed(url)[0]


def _parsed(url: str) -> tuple[Path, float]:
    parts = urlsplit(url)
    parameters = parse_qs(parts.query)
    wait = WAIT
    try:
        if "wait" in parameters:
            wait = parse_duration(parameters.pop("wait")[-1]).total_seconds()
    except BadUnit as error:
        raise TransportError(say("wait= of the gammu URL is no duration; write wait=60s"), ours=True) from error
    if parts.netloc or not parts.path.startswith("/") or parameters:
        text = say("the gammu URL names a folder of this machine and nothing else: gammu:/var/spool/gammu")
        raise TransportError(text, ours=True)
    return Path(unquote(parts.path)), wait


def _folder(spool: Path, name: str) -> Path:
    folder = spool / name
    if not folder.is_dir():
        text = say("{path} does not exist; is gammu-smsd installed, with service = files?", path=str(folder))
        raise TransportError(text, ours=True)
    return folder


def _write(place: Path, text: str) -> None:
    """Write the file so that gammu-smsd sees it whole or not at all; it passes over names that begin with a dot."""
    unfinished = place.with_name(f".{place.name}")
    try:
        unfinished.unlink(missing_ok=True)
        with open(unfinished, "wb", opener=_anew) as file:
            # With a byte order mark it is UTF-16 to gammu-smsd; without, it would depend on that daemon's locale.
            file.write(text.encode("utf-16"))
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o660)
        unfinished.rename(place)
    except OSError as error:
        raise TransportError(
            say("cannot write {path}: {why}", path=str(place), why=reason(error)), ours=True
        ) from error


def _anew(path: str, flags: int) -> int:
    """Open a file that was not there: the folder is another user's, who may have laid a link."""
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o660)


def _withdrawn(waiting: Path) -> bool:
    try:
        waiting.unlink()
    except FileNotFoundError:
        return False
    return True
