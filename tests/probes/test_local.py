"""The machine seen from inside: real file systems, and what systemd says, as it says it."""

from __future__ import annotations

import asyncio
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.text import ENGLISH
from probes.contract import ProbeFault, TargetFailure
from probes.local import BOOTED, ServiceSeen, ServiceState, disk, properties, service, service_of, systemctl

# As `systemctl show` of systemd 252 prints it.
RUNNING = """\
LoadState=loaded
ActiveState=active
SubState=running
ExecMainStartTimestampMonotonic=12000000
ActiveEnterTimestampMonotonic=12500000
"""
ONESHOT = """\
LoadState=loaded
ActiveState=active
SubState=exited
ExecMainStartTimestampMonotonic=0
ActiveEnterTimestampMonotonic=5000000
"""


def unit(active: str, load: str = "loaded", sub: str = "dead") -> dict[str, str]:
    return {"LoadState": load, "ActiveState": active, "SubState": sub}


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (properties(RUNNING), ServiceSeen("ssh", ServiceState.RUNNING, 88.0, "active/running")),
        (properties(ONESHOT), ServiceSeen("ssh", ServiceState.RUNNING, 95.0, "active/exited")),
        (unit("reloading", sub="reload"), ServiceSeen("ssh", ServiceState.RUNNING, None, "reloading/reload")),
        (unit("activating", sub="start"), ServiceSeen("ssh", ServiceState.STARTING, None, "activating/start")),
        (unit("deactivating", sub="stop"), ServiceSeen("ssh", ServiceState.STOPPING, None, "deactivating/stop")),
        (unit("inactive"), ServiceSeen("ssh", ServiceState.STOPPED, None, "inactive/dead")),
        (unit("failed", sub="failed"), ServiceSeen("ssh", ServiceState.FAILED, None, "failed/failed")),
        (unit("inactive", "masked"), ServiceSeen("ssh", ServiceState.STOPPED, None, "inactive/dead/masked")),
        (unit("active", "not-found"), ServiceSeen("ssh", ServiceState.RUNNING, None, "active/dead/not-found")),
        (unit("inactive", "not-found"), None),
    ],
)  # fmt: skip
def test_a_unit_is_read_as_systemd_shows_it(shown, expected):
    assert service_of("ssh", shown, 100.0) == expected


@given(st.text(max_size=300), st.floats(0, 1e9))
def test_nothing_that_is_shown_breaks_the_reader(shown, monotonic):
    with pytest.raises(ProbeFault):
        service_of("x", properties(shown), monotonic)
    seen = service_of("x", properties(shown) | {"ActiveState": "active"}, monotonic)
    assert seen.uptime is None or seen.uptime >= 0


async def test_the_root_file_system_adds_up(make_io):
    seen = await disk("/", make_io())
    assert seen.size > 0
    assert 0 <= seen.used <= seen.size
    assert 0 <= seen.free <= seen.size - seen.used


async def test_a_folder_that_is_no_mount_point_is_unknown_and_names_those_that_are(make_io, tmp_path):
    for place in (str(tmp_path), str(tmp_path / "absent")):
        with pytest.raises(ProbeFault) as raised:
            await disk(place, make_io())
        assert place in ENGLISH.render(raised.value.text)


async def test_a_mount_that_fell_off_is_a_failure_not_the_disk_below(make_io, tmp_path):
    place = str(tmp_path)
    with pytest.raises(TargetFailure) as raised:
        await disk(place, make_io(memory={"mounted": place}))
    assert raised.value.down


async def test_a_disk_that_was_seen_is_remembered(make_io):
    memory: dict[str, object] = {}
    await disk("/", make_io(memory=memory))
    assert memory["mounted"] == "/"


@pytest.mark.skipif(BOOTED.is_dir(), reason="this machine runs systemd")
async def test_without_systemd_a_service_is_unknown_with_a_remedy(make_io):
    with pytest.raises(ProbeFault) as raised:
        await service("ssh", make_io())
    assert "does not run systemd" in ENGLISH.render(raised.value.text)
    assert raised.value.remedy is not None


@pytest.mark.skipif(not BOOTED.is_dir(), reason="this machine does not run systemd")
async def test_with_systemd_its_own_units_are_seen(make_io):
    seen = await service("systemd-journald", make_io())
    assert seen.state is ServiceState.RUNNING
    with pytest.raises(ProbeFault) as raised:
        await service("systemd-journald-of-nobody", make_io())
    assert "systemd-journald" in ENGLISH.render(raised.value.remedy)


@pytest.mark.parametrize("name", ["--all", "", "a b", "*", "a;reboot", "x" * 300, "a\nb"])
async def test_what_cannot_be_a_unit_is_never_passed_on(make_io, name):
    with pytest.raises(ProbeFault) as raised:
        await service(name, make_io())
    assert "cannot be the name" in ENGLISH.render(raised.value.text)


def script(folder, body: str) -> str:
    path = folder / "systemctl"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


async def test_arguments_arrive_whole_and_in_the_plain_locale(tmp_path):
    said = await systemctl("show", "a b", "$(id)", program=script(tmp_path, 'printf "%s|" "$@"; echo "$LC_ALL"'))
    assert said == "show|a b|$(id)|C\n"


async def test_a_refusal_is_repeated_in_its_first_line(tmp_path):
    with pytest.raises(ProbeFault) as raised:
        await systemctl("show", program=script(tmp_path, "echo Access denied >&2; echo more >&2; exit 4"))
    assert "Access denied" in ENGLISH.render(raised.value.text)
    assert "more" not in ENGLISH.render(raised.value.text)
    with pytest.raises(ProbeFault):
        await systemctl("show", program=str(tmp_path / "absent"))


async def test_a_program_that_hangs_is_killed_at_the_deadline(tmp_path):
    pid_file = tmp_path / "pid"
    program = script(tmp_path, f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 600")
    running = asyncio.create_task(systemctl("show", program=program))
    async with asyncio.timeout(10):
        while not pid_file.exists():
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
