"""What the steps about recordings ask first: which folders are meant, and how full the disk is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PlainSerializer

from monitor.core.text import say
from monitor.core.verdict import Verdict
from probes.params import Share
from runbooks.contract import Io, Recordings, StepFailed, Subject

_DRIVE = re.compile(r"/?([A-Za-z]:)(?:[\\\\/]|$)")
Until = Annotated[Share, Field(gt=0, lt=100), PlainSerializer(lambda share: f"{share:g}%")]
"""The share of a disk (%) down to which recordings are deleted; JSON has it as people write it, so that it is read."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How full a disk is: `used` in %, its `size` in bytes."""

    used: float
    size: float

    def above(self, until: float) -> int:
        """Return how many bytes less there must be to come down to `until` (%)."""
        return max(0, math.ceil((self.used - until) / 100 * self.size))


def usage_of(verdict: Verdict) -> Usage | None:
    """Return what a verdict of a disk check says; None where it could not look."""
    found = {metric.name: metric.value for metric in verdict.metrics}
    used, size = found.get("used", math.nan), found.get("size", math.nan)
    return Usage(used, size) if math.isfinite(used) and math.isfinite(size) else None


async def needed(subject: Subject, io: Io) -> Usage:
    """Return how full the subject's disk is now. Raises StepFailed where nobody can tell."""
    verdict = await io.look(subject.check)
    usage = usage_of(verdict)
    if usage is None:
        raise StepFailed(
            say("{check} does not say how full the disk is: {why}", check=subject.check, why=verdict.summary),
            remedy=say("Nothing is deleted blindly: see to the check first"),
        )
    return usage


def _drive(path: str) -> str:
    """The drive of Windows that `path` names, as `D:`; empty for any other path. SFTP writes `/D:/Audio`."""
    found = _DRIVE.match(path)
    return found[1].upper() if found else ""


def meant(subject: Subject, only: str | None, *, of_disk: bool) -> tuple[Recordings, ...]:
    """Return the folders of recordings of the subject's device, by name; `only`: this one, on whatever device. Pure.

    `of_disk`: of the disk that the subject's check is of, and only what may be deleted from it: no mirrored files.
    Raises StepFailed when there is none, or when it is `of_disk` and the subject's check is of no disk, or of another.
    """
    own = subject.own
    if of_disk and own.probe != "disk":
        raise StepFailed(
            say("{check} is a check of kind {kind}, and not of a disk", check=own.id, kind=own.probe),
            remedy=say("Start this runbook for a check with probe: disk"),
        )
    every = [one for _, one in sorted(subject.site.recordings.items()) if not (of_disk and one.mirror)]
    if only is not None:
        every = [one for one in every if one.id == only]
    # In a move the check is of the site, and the folder is named: it may lie on another device there.
    found = [one for one in every if one.device.name == own.node or (only is not None and not of_disk)]
    drive = _drive(own.params.mount) if of_disk else ""
    elsewhere = [one for one in found if drive and _drive(one.folder) not in ("", drive)]
    found = [one for one in found if one not in elsewhere]
    if elsewhere and not found:
        raise StepFailed(
            say(
                "the recordings of {device} lie on the drive {drive}, and {check} is a check of {mount}",
                device=own.node,
                drive=_drive(elsewhere[0].folder),
                check=own.id,
                mount=own.params.mount,
            ),
            remedy=say("Start this runbook for the check of their drive"),
        )
    if not found:
        raise StepFailed(
            say("the inventory names no recordings on {device}", device=own.node),
            remedy=say(
                "Write them under recordings: {example}",
                example=f"audio: {{device: {own.node}, folder: ..., archive: {{device: ..., folder: ...}}}}",
            ),
        )
    return tuple(found)
