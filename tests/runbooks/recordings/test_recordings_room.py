"""Which folders of recordings a disk's check is about: never those that lie on another drive."""

from __future__ import annotations

import pytest

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from probes.contract import Target
from probes.disk import DiskParams
from runbooks.contract import CheckOf, Recordings, Site, StepFailed, Subject
from runbooks.recordings_room import meant

HMP, NAS = Target(NodeId("hmp"), "192.0.2.1"), Target(NodeId("nas"), "192.0.2.2")


def subject(mount: str, *folders: str) -> Subject:
    own = CheckOf(CheckId("disk"), "disk", HMP.name, HMP, DiskParams.model_validate({"mount": mount}))
    recordings = {folder: Recordings(folder, HMP, folder, NAS, "/archive") for folder in folders}
    return Subject(own.id, Site({own.id: own}, {HMP.name: HMP, NAS.name: NAS}, recordings))


@pytest.mark.parametrize(
    ("mount", "folders", "expected"),
    [
        ("D:", ("/D:/Audio", "/E:/Audio"), ["/D:/Audio"]),
        ("d:\\", ("/D:/Audio",), ["/D:/Audio"]),
        ("/", ("/srv/audio",), ["/srv/audio"]),
        ("D:", ("/audio",), ["/audio"]),
        ("/srv", ("/D:/Audio",), ["/D:/Audio"]),
    ],
)
def test_what_may_lie_on_the_disk_is_meant(mount, folders, expected):
    assert [one.folder for one in meant(subject(mount, *folders), None, of_disk=True)] == expected


def test_a_full_system_drive_is_no_reason_to_delete_recordings_from_another():
    with pytest.raises(StepFailed) as caught:
        meant(subject("C:", "/D:/Audio"), None, of_disk=True)
    assert "lie on the drive D:" in ENGLISH.render(caught.value.text)
    assert len(meant(subject("C:", "/D:/Audio"), None, of_disk=False)) == 1
