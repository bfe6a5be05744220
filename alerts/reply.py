"""A mail that came in, read as an answer to one of ours: pure, and whatever it holds, it ends soon and never raises.

What a mail proves: nobody proves who wrote it, for `From` can be anything. That it answers names a Message-ID of ours,
which nobody can guess who has not read that very message (see `monitor.daemon.letters`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses
from enum import StrEnum
from hashlib import sha256
from html import unescape

from alerts.letter import one_line
from alerts.reply_words import first_line

MOST_BYTES = 256 * 1024
"""Of a mail that are fetched and read: a line of text and its headers take some kilobytes."""
LONGEST_HEADER = 4096
"""Bytes of a line, and of what a header goes on with; RFC 5322 (2.1.1) has 998 a line."""
MOST_REFERENCES = 50
MOST_PARTS = 64
MOST_TEXT = 32 * 1024
"""Characters of a part that are looked at for the first line."""
LONGEST_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3."""
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,250})>")
_DSN_FIELD = re.compile(r"^(?P<name>Action|Final-Recipient)\s*:\s*(?P<value>[^\r\n]{1,300})", re.I | re.M)
_ORIGINAL_ID = re.compile(r"^Message-ID\s*:\s*<([^<>\s]{1,250})>", re.I | re.M)
_BREAKS = frozenset({"p", "div", "br", "tr", "li", "hr", "h1", "h2", "h3", "table", "blockquote"})
_UNREAD = frozenset({"script", "style", "head", "title", "blockquote"})
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]{0,20}|[!?])[^<>]*>")
"""A tag, a comment or a declaration, as far as it holds no other: found in one pass, whatever stands there."""
log = logging.getLogger(__name__)


class Kind(StrEnum):
    """What a mail is."""

    ANSWER = "answer"
    AUTOMATIC = "automatic"
    """Nobody wrote it: an absence, a receipt, a list."""
    BOUNCE = "bounce"
    """A message of ours did not arrive, for good."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Reply:
    """A mail that came in: `id` tells it from every other, `sender` is what From says (small letters, no name).

    `answers`: Message-IDs without `<>` of what it answers, or, of a bounce, of what did not arrive; the likeliest
    first. `line`: the first line that its writer wrote. `failed`: the address that a bounce names.
    """

    id: str
    kind: Kind
    sender: str = ""
    answers: tuple[str, ...] = ()
    line: str = ""
    failed: str = ""


def read_reply(raw: bytes) -> Reply:
    """Return what `raw`, a mail or the beginning of one, says."""
    nameless = sha256(raw).hexdigest()[:32]
    try:
        message = message_from_bytes(_shortened(raw[:MOST_BYTES]))
        return _read(message, nameless)
    except Exception:  # one mail that somebody made up must not keep the next from being read
        log.exception("a mail could not be read", extra={"event": "mail_unreadable", "mail": nameless})
        return Reply(nameless, Kind.UNREADABLE)


def _shortened(raw: bytes) -> bytes:
    """`raw` with long lines cut and long headers ended: the standard library takes the square of their length.

    What stands indented in a text is cut as if it were a header; the first line that its writer wrote is not.
    """
    lines, folded = list[bytes](), 0
    for whole in raw.splitlines(keepends=True):
        line = whole if len(whole) <= LONGEST_HEADER else whole[:LONGEST_HEADER] + b"\r\n"
        folded = folded + len(line) if line[:1] in (b" ", b"\t") else 0
        if folded <= LONGEST_HEADER:
            lines.append(line)
    return b"".join(lines)


def _read(message: Message, nameless: str) -> Reply:
    own = _MESSAGE_ID.search(_header(message, "Message-ID"))
    name, sender = own[1] if own is not None else nameless, _sender(message)
    if message.get_content_type() == "multipart/report":
        return _report(message, name, sender)
    answers = _references(message)
    if _is_automatic(message):
        return Reply(name, Kind.AUTOMATIC, sender, answers)
    return Reply(name, Kind.ANSWER, sender, answers, one_line(first_line(_text(message))))


def _header(message: Message, name: str) -> str:
    return str(message.get(name, ""))[: 2 * LONGEST_HEADER]


def _sender(message: Message) -> str:
    """The one address in From; empty where there is none, or more than one."""
    addresses = [address for _, address in getaddresses([_header(message, "From")]) if "@" in address]
    found = one_line(addresses[0]) if len(addresses) == 1 and len(message.get_all("From", [])) == 1 else ""
    return found.lower() if len(found) <= LONGEST_ADDRESS else ""


def _references(message: Message) -> tuple[str, ...]:
    named = _MESSAGE_ID.findall(_header(message, "In-Reply-To"))
    thread = _MESSAGE_ID.findall(_header(message, "References"))
    return tuple(dict.fromkeys([*named, *reversed(thread)]))[:MOST_REFERENCES]


def _is_automatic(message: Message) -> bool:
    """RFC 3834, and what was usual before it."""
    submitted = _header(message, "Auto-Submitted").partition(";")[0].strip().lower()
    precedence = _header(message, "Precedence").strip().lower()
    marked = any(message.get(name) is not None for name in ("X-Autoreply", "X-Autorespond", "List-Id"))
    return submitted not in ("", "no") or precedence in ("bulk", "junk", "list", "auto_reply") or marked


def _report(message: Message, name: str, sender: str) -> Reply:
    """A delivery report (RFC 3464); every other report, and one of a delay or a success, changes nothing."""
    fields, answers = dict[str, str](), list[str]()
    for part in _parts(message):
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            fields |= {match["name"].lower(): match["value"] for match in _DSN_FIELD.finditer(_source(part))}
        elif kind in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers"):
            answers += _ORIGINAL_ID.findall(_source(part))[:1]
    if fields.get("action", "").strip().lower() != "failed":
        return Reply(name, Kind.AUTOMATIC, sender, tuple(answers))
    failed = one_line(fields.get("final-recipient", "").rpartition(";")[2])[:LONGEST_ADDRESS]
    return Reply(name, Kind.BOUNCE, sender, tuple(answers), failed=failed)


def _source(part: Message) -> str:
    return part.as_string()[:MOST_TEXT]


def _parts(message: Message) -> Iterator[Message]:
    """The parts of `message`, outermost first, as far as anybody would read."""
    waiting, seen = [message], 0
    while waiting and seen < MOST_PARTS:
        part = waiting.pop(0)
        seen += 1
        yield part
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            waiting += [one for one in inner if isinstance(one, Message)]


def _text(message: Message) -> str:
    """What the mail says: its plain text, else what its HTML shows."""
    html = ""
    for part in _parts(message):
        if part.get_content_disposition() == "attachment" or part.is_multipart():
            continue
        if part.get_content_type() == "text/plain":
            return _decoded(part)
        if part.get_content_type() == "text/html" and not html:
            html = _shown(_decoded(part))
    return html


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = (payload if isinstance(payload, bytes) else b"")[: 4 * MOST_TEXT]
    charset = str(part.get_content_charset() or "utf-8")
    try:
        return data.decode(charset, "replace")[:MOST_TEXT]
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")[:MOST_TEXT]


def _shown(html: str) -> str:
    """The words of a page, a line a block, without what it quotes.

    Read in one pass: the standard library's parser takes half a minute for 30 kB that somebody made up, and raises.
    """
    words, at, unread = list[str](), 0, 0
    for tag in _TAG.finditer(html):
        if not unread:
            words.append(" ".join(unescape(html[at : tag.start()]).split()) + " ")
        at, name = tag.end(), tag["name"].lower()
        if name in _UNREAD:
            unread = max(0, unread + (-1 if tag["end"] else 1))
        if name in _BREAKS:
            words.append("\n")
    if not unread:
        words.append(" ".join(unescape(html[at:]).split()))
    return "".join(words)
