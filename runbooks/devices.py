"""Which device a step acts on."""

from __future__ import annotations

from monitor.core.ids import NodeId
from monitor.core.text import say
from probes.contract import Target
from runbooks.contract import StepFailed, Subject


def target_of(device: NodeId | None, subject: Subject) -> Target:
    """Return the device that a step names, else that of the subject. Raises StepFailed where there is none."""
    if device is None:
        own = subject.site.checks.get(subject.check)
        if own is None:
            raise StepFailed(
                say("the inventory has no check {check}", check=subject.check),
                remedy=say("Name the device with device, or correct the name of the check"),
            )
        device = own.node
    found = subject.site.devices.get(device)
    if found is None:
        raise StepFailed(
            say("the inventory has no device {device}", device=device),
            remedy=say("Correct device in the runbook: it is a name under devices"),
        )
    return found
