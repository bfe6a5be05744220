"""A router's command line by netmiko, in a thread with time limits of its own. Its host key is always verified.

netmiko and paramiko are imported with the first router; they come with the extra `routers`.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from time import monotonic
from typing import Any, Final, TypeVar

from monitor.core.text import Value, say, verbatim
from monitor.secret import Unresolved
from probes.access import SshAccess
from probes.cleaning import one_line
from probes.contract import Target
from probes.ssh import HostFault
from probes.ssh_faults import HostKey, wrong_host
from probes.ssh_output import printable, redacted, secrets_of
from runbooks.contract import StepFailed
from runbooks.router_lines import refusal
from runbooks.threads import NotStarted, blocking

DIAL_WITHIN = 15.0
"""Seconds for the connection, for its greeting and for the log-in, each."""
LEAST = 1.0
"""Seconds that one answer is waited for at least."""
GRACE = 3.0
"""Seconds beyond its time that a thread has to notice that it is over."""
MOST_SHOWN = 16_000
"""Characters of one answer that are kept."""
LONGEST_WHY = 300
R = TypeVar("R")
FINGERPRINT: Final = "SHA256:"


@dataclass(slots=True)
class Reached:
    """How far a thread came, for whom waits for it. `sent`: the router may have got a line that changes it.

    `over`: nobody waits any more, so that nothing more is sent.
    """

    sent: bool = False
    over: bool = False


@dataclass(slots=True)
class Typed:
    """What came of typing lines. `refused`: the line that was refused, and with which words; `output`: all answers."""

    output: list[str] = field(default_factory=list)
    refused: tuple[str, str] | None = None


class Console:
    """A router's command line, logged in. What blocks, blocks until `until` (monotonic seconds) at most."""

    def __init__(self, connection: Any, target: Target, until: float, reached: Reached) -> None:
        self._connection, self._target, self._until, self._reached = connection, target, until, reached

    def _left(self) -> float:
        return max(LEAST, self._until - monotonic())

    def show(self, line: str) -> str:
        """Return what the router answers to a line that changes nothing."""
        return self._clean(self._connection.send_command(line, read_timeout=self._left()))

    def type(self, lines: Sequence[str]) -> Typed:
        """Type `lines` into the configuration, up to the first that is refused; leave the configuration again."""
        typed, connection = Typed(), self._connection
        connection.config_mode()
        for line in lines:
            if self._reached.over or monotonic() > self._until:
                raise TimeoutError
            self._reached.sent = True
            answer = self._clean(
                connection.send_config_set(
                    [line], enter_config_mode=False, exit_config_mode=False, read_timeout=self._left()
                )
            )
            typed.output.append(answer)
            why = refusal(answer)
            if why is not None:
                typed.refused = (line, why)
                break
        connection.exit_config_mode()
        return typed

    def save(self) -> str:
        """Make the running configuration the one after a restart; return what the router says."""
        return self._clean(self._connection.save_config())

    def _clean(self, answer: str) -> str:
        return redacted(printable(answer[-MOST_SHOWN:]), secrets_of(self._target))


async def with_console(target: Target, access: SshAccess, work: Callable[[Console], R], within: float) -> R:
    """Return what `work` does on the command line of `target`, `within` seconds. Raises HostFault, StepFailed."""
    netmiko, paramiko = _libraries()
    reached = Reached()

    def in_thread() -> R:
        with _logged_in(netmiko, paramiko, target, access, within) as connection:
            return work(Console(connection, target, monotonic() + within, reached))

    try:
        return await blocking(in_thread, within=3 * DIAL_WITHIN + within + GRACE)
    except NotStarted as error:
        raise StepFailed(say("too many routers and databases are waited for already")) from error
    except (HostFault, StepFailed, Unresolved):
        raise
    except Exception as error:  # what netmiko, paramiko and sockets raise has nothing in common
        raise _lost(target, error, sent=reached.sent) from error
    finally:
        reached.over = True


def _libraries() -> tuple[Any, Any]:
    try:
        return import_module("netmiko"), import_module("paramiko")
    except ImportError as error:
        raise StepFailed(
            say("what speaks with routers is not installed"),
            remedy=say("install Relève with its extra: {command}", command="pip install '.[routers]'"),
        ) from error


@contextmanager
def _logged_in(netmiko: Any, paramiko: Any, target: Target, access: SshAccess, within: float) -> Iterator[Any]:
    """Yield netmiko's connection, in the mode in which a configuration may be entered. Raises HostFault."""
    secret = access.enable_password.reveal() if access.enable_password is not None else ""
    connection = netmiko.ConnectHandler(
        device_type=access.platform,
        host=target.address,
        port=access.port,
        username=access.user,
        password=access.password.reveal() if access.password is not None else None,
        secret=secret,
        pkey=None if access.key is None else _key(paramiko, target, access.key.reveal()),
        use_keys=False,
        allow_agent=False,
        ssh_strict=True,
        system_host_keys=access.host_key is None,
        conn_timeout=DIAL_WITHIN,
        auth_timeout=DIAL_WITHIN,
        banner_timeout=DIAL_WITHIN,
        blocking_timeout=DIAL_WITHIN,
        session_timeout=within,
        auto_connect=False,
    )
    if access.host_key is not None:
        connection.key_policy = _pinned(paramiko, target, fingerprint_of(access.host_key))
    try:
        connection._open()
    except (HostFault, Unresolved):
        raise
    except Exception as error:
        raise _not_in(target, access, error) from error
    try:
        if not connection.check_enable_mode():
            _enabled(connection, target, access)
        yield connection
    except BaseException:
        connection.paramiko_cleanup()  # disconnect would first type its farewell, and wait for an answer
        raise
    connection.disconnect()


def _enabled(connection: Any, target: Target, access: SshAccess) -> None:
    try:
        connection.enable()
    except Exception as error:
        raise HostFault(
            say("{user} may not configure {device}", user=access.user, device=target.name),
            say("Give the user the privilege, or write enable_password under ssh of the device"),
        ) from error


def fingerprint_of(host_key: str) -> str:
    """Return the SHA-256 fingerprint of a host key of the inventory, as ssh-keygen prints it."""
    if host_key.startswith(FINGERPRINT):
        return host_key.rstrip("=")
    blob = base64.b64decode(host_key.split()[1])
    return FINGERPRINT + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


def _pinned(paramiko: Any, target: Target, fingerprint: str) -> Any:
    """Return paramiko's policy that takes the key with `fingerprint` and no other."""

    class Pinned(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
        def missing_host_key(self, _client: Any, _hostname: str, key: Any) -> None:
            seen = FINGERPRINT + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode("ascii").rstrip("=")
            if seen != fingerprint:
                raise wrong_host(target, HostKey.DIFFERENT, key.get_name(), seen)

    return Pinned()


def _key(paramiko: Any, target: Target, text: str) -> Any:
    why = ""
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text + "\n"))
        except Exception as error:  # another kind of key, or none, comes as any exception
            why = why or str(error)
    raise HostFault(
        say("the SSH log-in for {device} cannot be used: {why}", device=target.name, why=verbatim(one_line(why)))
    )


def _not_in(target: Target, access: SshAccess, error: Exception) -> HostFault:
    """There is no command line: nothing was sent."""
    if "Authentication" in type(error).__name__:
        return HostFault(
            say("{device} rejects the SSH log-in of user {user}", device=target.name, user=access.user),
            say("Check the user, and the key or password under ssh of the device"),
        )
    if "not found in known_hosts" in str(error):
        return HostFault(
            say("the SSH host key of {device} is not known", device=target.name),
            say(
                "Write host_key under ssh of {device} in the inventory, as ssh-keygen -lf prints it", device=target.name
            ),
        )
    where: dict[str, Value] = {"device": target.name, "port": access.port, "why": _why(target, error)}
    return HostFault(
        say("cannot reach {device} by SSH on TCP port {port}: {why}", **where),
        say("Check that its SSH server runs, the port, and the firewalls in between"),
    )


def _lost(target: Target, error: Exception, *, sent: bool) -> HostFault:
    return HostFault(
        say("the command line of {device} was lost: {why}", device=target.name, why=_why(target, error)), sent=sent
    )


def _why(target: Target, error: Exception) -> Value:
    said = " ".join(str(error).split()) or type(error).__name__
    return verbatim(one_line(redacted(said, secrets_of(target)), LONGEST_WHY))
