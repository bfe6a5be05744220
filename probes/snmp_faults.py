"""What each failure of an SNMP exchange means to the person who reads it at night, and what to do about it."""

from __future__ import annotations

from monitor.core.text import Text, say
from probes.access import SnmpAccess
from probes.contract import Target
from probes.wire import Trouble


def explained(trouble: Trouble, detail: str, target: Target, access: SnmpAccess) -> tuple[Text, Text]:
    """Return what happened and what to do about it."""
    device, port, user = str(target.name), access.port, access.user or ""
    match trouble:
        case Trouble.REFUSED:
            return (
                say("nothing listens on UDP port {port} of {device}", port=port, device=device),
                say("Start its SNMP agent, or correct the port"),
            )
        case Trouble.MUTE:
            return (
                say("the SNMP agent of {device} is there but does not answer user {user}", device=device, user=user),
                say("Check priv and priv_protocol ({protocol})", protocol=access.priv_protocol),
            )
        case Trouble.USER:
            return (
                say("the SNMP agent of {device} does not know user {user}", device=device, user=user),
                say("Create this user on the device, or correct the name"),
            )
        case Trouble.DIGEST:
            return (
                say("the SNMP agent of {device} rejects the log-in of user {user}", device=device, user=user),
                say("Check auth and auth_protocol ({protocol})", protocol=access.auth_protocol),
            )
        case Trouble.DECRYPTION:
            return (
                say("the SNMP agent of {device} cannot decrypt what user {user} sends", device=device, user=user),
                say("Check priv and priv_protocol ({protocol})", protocol=access.priv_protocol),
            )
        case Trouble.LEVEL:
            return (
                say("the SNMP agent of {device} wants another security level of {user}", device=device, user=user),
                say("Give auth and priv just as this user has them on the device"),
            )
        case Trouble.DENIED:
            return (
                say("the SNMP agent of {device} lets us read nothing", device=device),
                say("Give the user or community the right to read (a view) on the device"),
            )
        case _:
            return _unheard(trouble, detail, target, access)


def _unheard(trouble: Trouble, detail: str, target: Target, access: SnmpAccess) -> tuple[Text, Text]:
    device, port = str(target.name), access.port
    match trouble:
        case Trouble.SILENT:
            return (
                say("{device} does not answer SNMP on UDP port {port}", device=device, port=port),
                say("Check that its agent is on, and that its access list and the firewalls let this machine in")
                if access.version == 3
                else say(
                    "Check that its agent is on, that its access list and the firewalls let this machine in, "
                    "and the community: no agent answers to a wrong one"
                ),
            )
        case Trouble.NETWORK:
            return (
                say(
                    "cannot send to {device} ({address}): {why}",
                    device=device,
                    address=target.address,
                    why=detail,
                ),
                say("Check this machine's network and routes"),
            )
        case Trouble.FORGED:
            return (
                say(
                    "the answers of {device} on UDP port {port} are not signed as they must be",
                    device=device,
                    port=port,
                ),
                say("Find out who else answers at this address; check auth and auth_protocol"),
            )
        case Trouble.ASTRAY | Trouble.STALE:
            return (
                say("{device} answers on UDP port {port}, but never to what was asked", device=device, port=port),
                say("Raise timeout if the device is slow; otherwise restart its SNMP agent"),
            )
        case _:
            return (
                say("{device} sends on UDP port {port} what is not SNMP", device=device, port=port),
                say("Check the port; if it is right, restart the agent or update the device's software"),
            )
