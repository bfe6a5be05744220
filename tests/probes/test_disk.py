"""How full a disk is: names as people write them, sizes as agents wrap them, and a disk that is gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from probes.contract import ProbeFault, TargetFailure
from probes.disk import Disk, DiskParams, is_mounted_at, measured
from probes.local import DiskSeen

OBJECT_ID = 0x06
ENTRY = "1.3.6.1.2.1.25.2.3.1"
FIXED, RAM, NETWORK = "1.3.6.1.2.1.25.2.1.4", "1.3.6.1.2.1.25.2.1.2", "1.3.6.1.2.1.25.2.1.10"
OTHER = "1.3.6.1.2.1.25.2.1.1"
DRIVE_D = "D:\\ Label:Audio  Serial Number 1a2b3c4d"


def stored(agent, rows):
    """Fill hrStorageTable: index -> (type, name, units, size, used)."""
    for index, (kind, name, units, size, used) in rows.items():
        agent.put(f"{ENTRY}.2.{index}", kind, OBJECT_ID)
        agent.put(f"{ENTRY}.3.{index}", name)
        for column, value in ((4, units), (5, size), (6, used)):
            agent.put(f"{ENTRY}.{column}.{index}", value)


def params(mount="D:", **changes):
    return DiskParams.model_validate({"via": "snmp", "mount": mount, **changes})


async def test_a_windows_drive_is_found_by_its_letter(agent, make_io):
    stored(
        agent,
        {
            1: (FIXED, "C:\\ Label:  Serial Number 10f82425", 4096, 1000, 300),
            2: (FIXED, DRIVE_D, 4096, 250_000, 232_500),
            3: (RAM, "Physical Memory", 65536, 1000, 999),
        },
    )
    seen = await Disk().observe(agent.target(), params(), make_io())
    assert seen == DiskSeen("D:", 250_000 * 4096, 232_500 * 4096, 17_500 * 4096)


async def test_memory_is_no_disk(agent, make_io):
    stored(agent, {1: (RAM, "D:", 4096, 10, 1), 2: (FIXED, "/", 4096, 10, 1)})
    with pytest.raises(ProbeFault) as fault:
        await Disk().observe(agent.target(), params(), make_io())
    assert "Nearest names: /" in ENGLISH.render(fault.value.remedy)


async def test_a_disk_that_was_there_and_is_missing_from_the_whole_table_is_gone(agent, make_io):
    memory = {}
    stored(agent, {1: (FIXED, "C:\\", 4096, 10, 1), 2: (FIXED, DRIVE_D, 4096, 10, 1)})
    await Disk().observe(agent.target(), params(), make_io(memory=memory))
    for column in (2, 3, 4, 5, 6):
        del agent.objects[tuple(int(arc) for arc in f"{ENTRY}.{column}.2".split("."))]
    with pytest.raises(TargetFailure) as failure:
        await Disk().observe(agent.target(), params(), make_io(memory=memory))
    assert failure.value.down


async def test_flash_and_what_an_agent_cannot_name_are_disks_too(agent, make_io):
    stored(agent, {1: (OTHER, "/flash", 512, 1000, 10)})
    assert (await Disk().observe(agent.target(), params("/flash"), make_io())).size == 512_000


@pytest.mark.parametrize("units", [0, 4096, -1])
async def test_a_drive_without_a_medium_has_no_size(agent, make_io, units):
    stored(agent, {1: (FIXED, "D:\\", units, 0, 0)})
    with pytest.raises(ProbeFault, match="how large"):
        await Disk().observe(agent.target(), params(), make_io())


@pytest.mark.parametrize(
    ("name", "mount", "same"),
    [
        (DRIVE_D, "D:", True),
        (DRIVE_D, "d:\\", True),
        (DRIVE_D, "D:/", True),
        (DRIVE_D, "C:", False),
        ("D:\\", "D:", True),
        ("DVD:\\", "D:", False),
        ("/", "/", True),
        ("/srv", "/", False),
        ("/Srv", "/srv", False),
        ("/srv/audio Label:", "/srv/audio", True),
        ("/mnt/media, type: zfs, dev: media", "/mnt/media", True),
    ],
)
def test_a_drive_is_the_same_with_and_without_its_backslash(name, mount, same):
    assert is_mounted_at(name, mount) is same


@pytest.mark.parametrize(
    ("size", "used", "whole"),
    [(1000, 500, 1000 * 4096), (-1, 500, (2**32 - 1) * 4096), (-(2**31), 2**31 - 1, 2**31 * 4096)],
)
def test_a_count_that_ran_into_the_sign_bit_is_counted_on(size, used, whole):
    assert measured("D:", 4096, size, used).size == whole


@pytest.mark.parametrize(
    ("share", "severity"),
    [(79, Severity.OK), (85, Severity.WARNING), (93, Severity.CRITICAL), (100, Severity.CRITICAL)],
)
def test_the_share_in_use_is_judged_by_the_thresholds(share, severity):
    seen = DiskSeen("D:", 100.0, float(share), 100.0 - share)
    verdict = Disk().judge(seen, params(warning="80%", critical="90%"))
    assert (verdict.severity, verdict.down) == (severity, False)
    assert [metric.name for metric in verdict.metrics] == ["used", "free", "size"]


def test_an_absolute_threshold_of_free_space_counts_too():
    seen = DiskSeen("D:", 1e12, 5e11, 5e11)
    verdict = Disk().judge(seen, params(thresholds={"free": {"critical": "600 GB:"}}))
    assert verdict.severity is Severity.CRITICAL


def test_the_share_is_of_what_users_can_have_as_df_says():
    verdict = Disk().judge(DiskSeen("/", 100.0, 50.0, 45.0), params("/"))
    assert verdict.metrics[0].value == pytest.approx(100 * 50 / 95)


@given(*[st.floats(min_value=0, max_value=1e18)] * 3)
def test_whatever_was_measured_has_a_verdict(size, used, free):
    verdict = Disk().judge(DiskSeen("D:", size, used, free), params(warning="80%"))
    assert 0 <= verdict.metrics[0].value <= 100 + 1e-9
    assert ENGLISH.render(verdict.summary)


async def test_this_machine_s_root_is_seen_from_inside(make_io):
    probe_params = DiskParams.model_validate({"via": "local", "mount": "/"})
    seen = await Disk().observe(None, probe_params, make_io())
    assert seen.size > 0
