"""What of an inventory no client and no stranger should read in what a person wrote."""

from __future__ import annotations

from monitor.core.ids import NodeId
from monitor.inventory.model import Inventory


def private_names(inventory: Inventory) -> tuple[str, ...]:
    """Return every host name and address, which no client should read in what a person wrote.

    The links' own names are none of them: `FO` is the contract's word, and what the client wants to read.
    """
    names = {
        *machines(inventory),
        *(link.interface for link in inventory.links.values()),
        *(str(check) for check in inventory.checks if NodeId(check) not in inventory.links),
    }
    return tuple(sorted(names, key=len, reverse=True))


def machines(inventory: Inventory) -> frozenset[str]:
    """Return what the devices are called and where they are."""
    devices, peers = inventory.devices.values(), [link.peer for link in inventory.links.values() if link.peer]
    return frozenset(
        {
            *(str(device.id) for device in devices),
            *(device.target.address for device in devices),
            *peers,
            *(peer.rpartition(":")[0] for peer in peers if peer.count(":") == 1),
        }
    )


def people(inventory: Inventory) -> frozenset[str]:
    """Return what the contacts are called and where they are reached."""
    contacts = inventory.contacts.values()
    return frozenset(
        {
            *(contact.id for contact in contacts),
            *(contact.name for contact in contacts),
            *(address for contact in contacts for address in contact.addresses.values()),
        }
    )
