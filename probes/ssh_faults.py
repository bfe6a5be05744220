"""What each failure on the way to a host means to the person who reads it at night, and what to do about it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum

from monitor.core.text import Quantity, Text, Value, say, verbatim
from probes.access import SshAccess
from probes.cleaning import one_line
from probes.contract import Target
from probes.network import reason
from probes.ssh_output import MOST, redacted, secrets_of

LONGEST_WHY = 300
"""Characters of what the other side says that are shown."""
LISTS = (" algorithm found, sent ", " and received ")
"""What asyncssh puts before and between both lists when it finds no common algorithm."""


class HostFault(Exception):
    """The host was not reached, or went silent. `sent` False: provably nothing reached it, so all may be repeated."""

    def __init__(self, text: Text, remedy: Text | None = None, *, sent: bool = False) -> None:
        super().__init__(text.template)
        self.text, self.remedy, self.sent = text, remedy, sent


class HostKey(Enum):
    """What is wrong with the key that a host shows."""

    UNKNOWN = "unknown"
    DIFFERENT = "different"
    REVOKED = "revoked"


def no_way(target: Target) -> HostFault:
    """There is no log-in, and the target is not this machine."""
    return HostFault(
        say("{device} has no log-in by SSH", device=target.name),
        say("Give the device a log-in in the inventory: ssh, with user and key"),
    )


def unreached(target: Target, access: SshAccess, error: OSError) -> HostFault:
    """There is no TCP connection."""
    where: dict[str, Value] = {"device": target.name, "port": access.port}
    if isinstance(error, socket.gaierror):
        return HostFault(
            say("the address {address} of {device} is not known", address=target.address, device=target.name),
            say("Correct the address in the inventory, or check the name service"),
        )
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        text = say("{device} does not answer SSH on TCP port {port}", **where)
    else:
        text = say("cannot reach {device} by SSH on TCP port {port}: {why}", **where, why=reason(error))
    return HostFault(text, say("Check that its SSH server runs, the port, and the firewalls in between"))


def unfinished(target: Target, access: SshAccess | None, within: float, *, sent: bool) -> HostFault:
    """A command did not end in time."""
    if not sent and access is not None:
        return unreached(target, access, TimeoutError())
    return HostFault(
        say("{device} did not finish a command within {span}", device=target.name, span=timedelta(seconds=within)),
        say("Look on the host what it waits for"),
        sent=sent,
    )


def flooded(target: Target) -> HostFault:
    """A command printed so much that it was given up."""
    return HostFault(
        say("a command on {device} printed more than {size}", device=target.name, size=Quantity(MOST, "By")),
        say("Look on the host what it does"),
        sent=True,
    )


def ended(target: Target, error: Exception | str, *, sent: bool) -> HostFault:
    """The connection, or one of its channels, came to an end that nobody asked for."""
    why = quoted(target, error)
    if sent:
        return HostFault(
            say(
                "the SSH connection to {device} was lost after the command was sent: {why}", device=target.name, why=why
            ),
            sent=True,
        )
    return HostFault(
        say("{device} ended the SSH connection: {why}", device=target.name, why=why),
        say("Look into the log of its SSH server"),
    )


def no_session(target: Target, error: Exception) -> HostFault:
    """The log-in worked, and no command or SFTP is let in."""
    return HostFault(
        say("{device} opens no session: {why}", device=target.name, why=quoted(target, error)),
        say("Look into the log of its SSH server: what the user may do, and how many sessions at once"),
    )


def no_sftp(target: Target, error: Exception) -> HostFault:
    """The log-in worked, and there is no SFTP."""
    return HostFault(
        say("{device} offers no SFTP: {why}", device=target.name, why=quoted(target, error)),
        say("Enable the subsystem sftp of its SSH server, and let the user have it"),
    )


def wrong_host(target: Target, wrong: HostKey, kind: str, fingerprint: str) -> HostFault:
    """The host shows a key that is not the one it must have. `kind` is the key's algorithm."""
    seen = {"device": target.name, "fingerprint": fingerprint, "kind": kind}
    write = say("host_key: {fingerprint}", fingerprint=f'"{fingerprint}"')
    match wrong:
        case HostKey.UNKNOWN:
            return HostFault(
                say("the SSH host key of {device} is not known: it shows {fingerprint} ({kind})", **seen),
                say(
                    "Compare it with what ssh-keygen -lf says on the device itself; if it is the same, write {key} "
                    "under ssh of {device} in the inventory",
                    key=write,
                    device=target.name,
                ),
            )
        case HostKey.DIFFERENT:
            return HostFault(
                say("{device} shows another SSH host key than the known one: {fingerprint} ({kind})", **seen),
                say(
                    "Somebody may stand in between. Only if it was installed anew, and ssh-keygen -lf says the same on "
                    "the device itself, write {key} under ssh of {device} in the inventory",
                    key=write,
                    device=target.name,
                ),
            )
        case HostKey.REVOKED:
            return HostFault(
                say("{device} shows an SSH host key that was revoked: {fingerprint} ({kind})", **seen),
                say("Give the device a new host key, or correct known_hosts"),
            )


def rejected(target: Target, access: SshAccess, public_key: str | None) -> HostFault:
    """The log-in failed. `public_key`: the line that has to be on the host."""
    text = say("{device} rejects the SSH log-in of user {user}", device=target.name, user=access.user)
    if public_key is None:
        return HostFault(text, say("Check the user and its password, and that the server accepts passwords"))
    return HostFault(
        text,
        say(
            "Add this line to the user's authorized_keys (for administrators of Windows: "
            "C:\\ProgramData\\ssh\\administrators_authorized_keys): {line}",
            line=public_key,
        ),
    )


def unlike(target: Target, error: Exception) -> HostFault:
    """Both sides have no algorithm in common. asyncssh names what ours and theirs are."""
    what, _, lists = str(error).partition(LISTS[0])
    ours, _, theirs = lists.partition(LISTS[1])
    if not theirs:
        return ended(target, error, sent=False)
    return HostFault(
        say(
            "{device} and Relève have no SSH algorithm in common for {purpose}: it offers {theirs}",
            device=target.name,
            purpose=one_line(what.removeprefix("No matching ")),
            theirs=quoted(target, theirs.replace(",", ", ")),
        ),
        say("Update its SSH server. Relève accepts: {ours}", ours=one_line(ours.replace(",", ", "), LONGEST_WHY)),
    )


def no_key(target: Target, why: Text, *, encrypted: bool = False) -> HostFault:
    """The log-in of the inventory cannot be used: what it refers to is not there, or no key."""
    if encrypted:
        return HostFault(
            say("the SSH key for {device} is protected by a passphrase", device=target.name),
            say("Make a key without one for Relève alone, in a file that only its user may read"),
        )
    return HostFault(say("the SSH log-in for {device} cannot be used: {why}", device=target.name, why=why))


def not_started(program: str, error: Exception) -> HostFault:
    """A program of this machine could not be started."""
    why = reason(error) if isinstance(error, OSError) else verbatim(str(error))
    return HostFault(say("cannot run {program}: {why}", program=one_line(program), why=why))


def quoted(target: Target, words: Exception | str) -> Text:
    """Return the other side's words as they may be shown."""
    said = str(words) or type(words).__name__
    return verbatim(one_line(redacted(said, secrets_of(target)), LONGEST_WHY))


def methods(access: SshAccess) -> Sequence[str]:
    """Return by what to log in, in order (RFC 4252, RFC 4256)."""
    by_password = ("keyboard-interactive", "password") if access.password is not None else ()
    return (*(("publickey",) if access.key is not None else ()), *by_password)
