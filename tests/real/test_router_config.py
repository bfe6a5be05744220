"""Step `router-config` on FRR behind OpenSSH, in a network namespace of its own: nothing of this machine is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.relay import Relay
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity, Verdict
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh import HostFault
from runbooks.contract import Answer, CheckOf, Image, Io, Outcome, Site, StepFailed, Subject
from runbooks.steps.router_config import RouterConfig, RouterConfigParams
from tests.runbooks.conftest import hosts, make_io

__all__ = ["hosts", "make_io"]
STEP = RouterConfig()
FRR = "/usr/lib/frr"
READY_WITHIN = 30.0
ROUTE = "ip route 198.18.9.0/24 blackhole"
SHOW = {"show": "show running-config", "expect": ROUTE}


class Router:
    """zebra and staticd in a network namespace of their own, and vtysh as the shell of who logs in by `sshd`."""

    def __init__(self, daemons: dict[str, Path], vtysh: Path, unshare: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="releve-frr-"))  # a socket's path must be short
        self._vtysh = [vtysh, "--vty_socket", self.folder, "--config_dir", self.folder]
        (self.folder / "vtysh.conf").write_text("no service integrated-vtysh-config\n")
        self._processes = []
        shutil.chown(self.folder, "frr", "frr")
        where: list[Any] = ["--vty_socket", self.folder, "-z", self.folder / "zserv"]
        # The first one makes the namespace, and the second one enters it.
        enter: list[Any] = [unshare, "--net", "--"]
        for name, program in daemons.items():
            (self.folder / f"{name}.conf").touch()
            shutil.chown(self.folder / f"{name}.conf", "frr", "frr")
            command = [*enter, program, *where, "-f", self.folder / f"{name}.conf", "-i", self.folder / f"{name}.pid"]
            with (self.folder / f"{name}.log").open("wb") as output:
                process = subprocess.Popen(
                    [*command, "-P", "0", "--log", "stdout"], stdout=output, stderr=output, stdin=subprocess.DEVNULL
                )
            self._processes.append(process)
            self._wait((self.folder / f"{name}.vty").exists)
            enter = ["nsenter", f"--net=/proc/{process.pid}/ns/net", "--"]
        self._wait(lambda: self.ask("show version").returncode == 0)

    def _wait(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + READY_WITHIN
        while not holds():
            assert time.monotonic() < until, self.log()
            assert all(process.poll() is None for process in self._processes), self.log()
            time.sleep(0.02)

    def log(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-1500:] for path in sorted(self.folder.glob("*.log")))

    def ask(self, *lines: str) -> subprocess.CompletedProcess[str]:
        typed = [word for line in lines for word in ("-c", line)]
        return subprocess.run([*self._vtysh, *typed], capture_output=True, text=True, check=False, timeout=20)

    def configure(self, line: str) -> None:
        """Type a line; one that takes away what is not there is refused, and that is well."""
        self.ask("configure terminal", line)

    @property
    def shell(self) -> str:
        return " ".join(str(word) for word in self._vtysh)

    def configured(self, line: str) -> bool:
        return line in self.ask("show running-config").stdout

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait(10)
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def router(require: Callable[[str, str], Path]) -> Iterator[Router]:
    daemons = {name: require(f"{FRR}/{name}", "frr") for name in ("zebra", "staticd")}
    vtysh, unshare = require("vtysh", "frr"), require("unshare", "util-linux")
    if os.geteuid() != 0:
        pytest.skip("FRR keeps its command line for the group frrvty: only root runs this")
    made = Router(daemons, vtysh, unshare)
    yield made
    made.stop()


@pytest.fixture
def console(router: Router, sshd: Any) -> Iterator[Target]:
    """The router as a device, without the route of the tests."""
    sshd.force(router.shell)
    access = SshAccess.model_validate(
        {"user": sshd.user, "key": f"file:{sshd.user_key}", "port": sshd.port, "host_key": sshd.fingerprint,
         "platform": "cisco_ios"}
    )  # fmt: skip
    yield Target(NodeId("router"), "127.0.0.1", {"ssh": access})
    router.configure(f"no {ROUTE}")


def params(*lines: str, **keys: Any) -> RouterConfigParams:
    return RouterConfigParams.model_validate({"lines": list(lines), "within": "20s", **keys})


def subject_of(target: Target) -> Subject:
    check = CheckOf(CheckId("way"), "path", target.name, target, None)
    return Subject(check.id, Site(checks={check.id: check}, devices={target.name: target}))


async def carried(io: Io, target: Target, wanted: RouterConfigParams) -> Outcome:
    """Plan, look and apply, with keys and before-image as they come out of the journal."""
    subject = subject_of(target)
    (action,) = STEP.actions(wanted, subject)
    keys = RouterConfigParams.model_validate(json.loads(json.dumps(dict(action.params))))
    assert keys == wanted
    before: Image = json.loads(json.dumps(dict(await STEP.before(keys, subject, io))))
    return await STEP.apply(keys, before, subject, io)


def seen(severity: Severity) -> Callable[[CheckId], Awaitable[Verdict]]:
    async def look(check: CheckId) -> Verdict:
        return Verdict(severity, say("the traffic takes the wrong way"))

    return look


def said(error: Exception) -> str:
    return ENGLISH.render(error.text)  # type: ignore[attr-defined]


def changed(target: Target, **keys: Any) -> Target:
    access = target.access["ssh"].model_copy(update=keys)
    return Target(target.name, target.address, {"ssh": access})


async def test_lines_are_in_force_saved_and_not_typed_again(
    router: Router, console: Target, make_io: Callable[..., Io]
):
    wanted = params(ROUTE, done=SHOW, show=["show running-config"], verify="way", save=True)
    subject = subject_of(console)
    before = await STEP.before(wanted, subject, make_io())
    assert before["done"] == Answer.NO.value
    assert "Current configuration:" in before["show"]["show running-config"]
    outcome = await STEP.apply(wanted, before, subject, make_io())
    assert ENGLISH.render(outcome.text) == "router is configured: 1 lines"
    assert outcome.evidence == {"lines": 1, "saved": True}
    assert router.configured(ROUTE)
    assert ROUTE in (router.folder / "staticd.conf").read_text()
    assert await STEP.done(wanted, before, subject, make_io()) is Answer.YES
    assert (await carried(make_io(), console, wanted)).changed is False


async def test_a_line_that_is_refused_takes_all_back(router: Router, console: Target, make_io: Callable[..., Io]):
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(), console, params(ROUTE, "ip nonsense", "hostname never", rollback=[f"no {ROUTE}"]))
    assert said(caught.value).startswith("router refuses ip nonsense: % ")
    assert said(caught.value).endswith("; it was taken back")
    assert caught.value.evidence == {"undone": True}
    assert not router.configured(ROUTE)
    assert not router.configured("hostname never")


async def test_a_check_that_is_not_ok_afterwards_takes_all_back(
    router: Router, console: Target, make_io: Callable[..., Io]
):
    wanted = params(ROUTE, rollback=[f"no {ROUTE}"], verify="way", verify_within="100ms")
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(seen(Severity.CRITICAL)), console, wanted)
    assert "the traffic takes the wrong way; it was taken back" in said(caught.value)
    assert not router.configured(ROUTE)


async def test_what_cannot_be_taken_back_is_told_with_the_lines_to_type(
    router: Router, console: Target, make_io: Callable[..., Io]
):
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(), console, params(ROUTE, "ip nonsense", rollback=["no ip nonsense"]))
    assert "it could not be taken back: router refuses no ip nonsense" in said(caught.value)
    assert ENGLISH.render(caught.value.remedy) == "Type it in by hand: no ip nonsense"
    assert router.configured(ROUTE)


async def test_a_router_with_another_host_key_gets_nothing(
    router: Router, console: Target, make_io: Callable[..., Io], sshd: Any
):
    for wrong in (f"SHA256:{'A' * 43}", sshd.user_key.with_suffix(".pub").read_text().strip()):
        with pytest.raises(HostFault, match="another SSH host key") as caught:
            await carried(make_io(), changed(console, host_key=wrong), params(ROUTE))
        assert caught.value.sent is False
    with pytest.raises(HostFault, match="is not known"):
        await carried(make_io(), changed(console, host_key=None), params(ROUTE))
    assert not router.configured(ROUTE)
    await carried(make_io(), changed(console, host_key=sshd.host_key), params(ROUTE))


async def test_a_router_that_is_away_or_lets_nobody_in_got_nothing(
    console: Target, make_io: Callable[..., Io], sshd: Any, free_port: Callable[..., int]
):
    other = sshd.new_key("other")
    wanted = params(ROUTE, done=SHOW)
    for target, why in (
        (changed(console, port=free_port()), "cannot reach"),
        (changed(console, key=SshAccess.model_validate({"user": "x", "key": f"file:{other}"}).key), "rejects"),
    ):
        with pytest.raises(HostFault, match=why) as caught:
            await carried(make_io(), target, params(ROUTE))
        assert caught.value.sent is False
        assert await STEP.done(wanted, {}, subject_of(target), make_io()) is Answer.CANNOT_TELL


async def test_a_session_that_is_cut_between_two_lines_may_have_done_the_first(
    router: Router, console: Target, make_io: Callable[..., Io]
):
    wanted, port = params(ROUTE, *[ROUTE] * 40), int(getattr(console.access["ssh"], "port", 0))
    async with Relay(port) as whole:
        await carried(make_io(), changed(console, port=whole.port), wanted)
    router.configure(f"no {ROUTE}")
    wanted = wanted.model_copy(update={"within": timedelta(seconds=3)})
    async with Relay(port, 0.85 * whole.passed) as relay:
        with pytest.raises(HostFault, match="was lost") as caught:
            await carried(make_io(), changed(console, port=relay.port), wanted)
    assert caught.value.sent is True
    assert await STEP.done(params(ROUTE, done=SHOW), {}, subject_of(console), make_io()) is Answer.YES
