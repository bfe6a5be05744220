"""Step `command` on a host with a real sh behind SSH: its result decides, and after a crash its check does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import ValidationError

from lab.sshd import USER, Sshd, new_key
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh import HostFault, Hosts, Ran
from probes.ssh_local import run_here
from runbooks.contract import Answer, CheckOf, Effect, Io, Site, StepFailed, StepUncertain, Subject
from runbooks.registry import load
from runbooks.steps.command import Command, CommandParams
from tests.runbooks.conftest import Windows

STEP = Command()


@contextlib.asynccontextmanager
async def a_host(folder: Path, command: Any, platform: str) -> AsyncIterator[tuple[Target, Sshd]]:
    key = new_key()
    key.write_private_key(folder / "key")
    sshd = Sshd(key, command=command)
    await sshd.start()
    access = SshAccess.model_validate(
        {"user": USER, "key": f"file:{folder / 'key'}", "port": sshd.port, "host_key": sshd.fingerprint,
         "platform": platform}
    )  # fmt: skip
    try:
        yield Target(NodeId("hmp"), "127.0.0.1", {"ssh": access}), sshd
    finally:
        await sshd.stop()


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[tuple[Target, Sshd]]:
    """A host whose sshd hands every command to /bin/sh in a folder of its own."""
    shells: list[asyncio.Future[Ran]] = []

    async def by_shell(process: asyncssh.SSHServerProcess[str]) -> None:
        line = shlex.join(["sh", "-c", 'cd "$1" && exec sh -c "$2"', "sh", str(tmp_path), process.command or ""])
        task = asyncio.ensure_future(run_here(Target(NodeId("shell"), "127.0.0.1"), line, within=20))
        shells.append(task)
        ran = await task
        with contextlib.suppress(BrokenPipeError):
            process.stdout.write(ran.out)
            process.stderr.write(ran.err)
            if ran.status is None:
                process.exit_with_signal("KILL")
            else:
                process.exit(ran.status)

    async with a_host(tmp_path, by_shell, "linux") as made:
        yield made
        await asyncio.gather(*shells)


def subject_of(target: Target) -> Subject:
    check = CheckOf(CheckId("dialler"), "tcp", target.name, target, None)
    return Subject(check.id, Site(checks={check.id: check}, devices={target.name: target}))


def params(*command: str, **keys: Any) -> CommandParams:
    return CommandParams.model_validate({"command": list(command), **keys})


def said(error: Exception) -> str:
    return ENGLISH.render(error.text)  # type: ignore[attr-defined]


async def carried(io: Io, target: Target, wanted: CommandParams) -> Any:
    """Plan, look and apply, with keys and before-image as they come out of the journal."""
    subject = subject_of(target)
    (action,) = STEP.actions(wanted, subject)
    keys = CommandParams.model_validate(json.loads(json.dumps(dict(action.params))))
    assert keys == wanted
    before = json.loads(json.dumps(dict(await STEP.before(keys, subject, io))))
    return await STEP.apply(keys, before, subject, io)


async def test_a_right_result_is_told_with_its_last_line_and_exit_code(host: Any, make_io: Callable[..., Io]):
    outcome = await carried(make_io(), host[0], params("sh", "-c", "echo one; echo 'all well'; exit 3", exit=[0, 3]))
    assert ENGLISH.render(outcome.text).endswith("ended with exit code 3: all well")
    assert (outcome.changed, outcome.evidence, outcome.output) == (True, {"exit": 3}, "one\nall well")


async def test_the_dry_run_says_the_command_the_device_and_the_declared_effect(host: Any):
    (action,) = STEP.actions(params("systemctl", "stop", "a b", effect="changes"), subject_of(host[0]))
    assert ENGLISH.render(action.said) == "run systemctl stop 'a b' on hmp"
    assert (action.target, action.effect) == ("hmp", Effect.CHANGES)
    (other,) = STEP.actions(params("true"), subject_of(host[0]))
    assert other.effect is Effect.DISRUPTS


@pytest.mark.parametrize(
    ("command", "keys", "why"),
    [
        (("sh", "-c", "echo no such unit >&2; exit 5"), {}, "exit code 5 instead of 0: no such unit"),
        (("echo", "state: down"), {"expect": "state: up"}, "the output does not contain 'state: up'"),
        (("echo", "state: down"), {"matches": "^state: up$"}, "nothing in the output matches ^state: up$"),
        (("releve-no-such-program",), {}, "exit code 127 instead of 0"),
    ],
)
async def test_a_wrong_result_fails_with_what_was_wrong(
    host: Any, make_io: Callable[..., Io], command: tuple[str, ...], keys: Any, why: str
):
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(), host[0], params(*command, **keys))
    assert said(caught.value).startswith(why)
    assert caught.value.remedy is not None


async def test_expected_output_may_come_on_either_stream(host: Any, make_io: Callable[..., Io]):
    await carried(make_io(), host[0], params("sh", "-c", "echo state: up >&2", expect="state: up", matches="up$"))


async def test_the_token_of_the_lease_is_in_the_environment(host: Any, make_io: Callable[..., Io], tmp_path: Path):
    wanted = params("sh", "-c", "printenv RELEVE_TOKEN >> seen", done=["sh", "-c", "printenv RELEVE_TOKEN; exit 1"])
    await carried(make_io(token=42), host[0], wanted)
    assert (tmp_path / "seen").read_text() == "42\n"
    with pytest.raises(StepFailed, match="exit code"):
        await carried(make_io(), host[0], params("printenv", "RELEVE_TOKEN"))


async def test_a_wrong_result_is_taken_back(host: Any, make_io: Callable[..., Io], tmp_path: Path):
    wanted = params("sh", "-c", "touch made; exit 1", undo=["rm", "made"])
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(), host[0], wanted)
    assert said(caught.value) == "exit code 1 instead of 0; it was taken back"
    assert caught.value.evidence["undone"] is True
    assert not (tmp_path / "made").exists()


async def test_what_cannot_be_taken_back_is_told_with_the_command_to_do_so(host: Any, make_io: Callable[..., Io]):
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(), host[0], params("false", undo=["sh", "-c", "echo jammed; exit 9"]))
    assert said(caught.value) == "exit code 1 instead of 0; it could not be taken back: jammed"
    assert "sh -c 'echo jammed; exit 9'" in ENGLISH.render(caught.value.remedy)
    assert caught.value.evidence == {"exit": 1, "undone": False, "undo_exit": 9}


async def test_what_is_done_already_is_not_done_again(host: Any, make_io: Callable[..., Io], tmp_path: Path):
    wanted = params("sh", "-c", "echo x >> made", done=["test", "-e", "made"])
    assert (await carried(make_io(), host[0], wanted)).changed is True
    assert (await carried(make_io(), host[0], wanted)).changed is False
    assert (tmp_path / "made").read_text() == "x\n"


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        ("exit 0", Answer.YES),
        ("exit 1", Answer.NO),
        ("exit 2", Answer.CANNOT_TELL),
        ("kill -9 $PPID", Answer.CANNOT_TELL),
    ],
)
async def test_after_a_crash_the_check_tells(host: Any, make_io: Callable[..., Io], check: str, answer: Answer):
    wanted = params("true", done=["sh", "-c", check])
    assert await STEP.done(wanted, {}, subject_of(host[0]), make_io()) is answer


@pytest.mark.parametrize(
    ("effect", "answer"),
    [("reads", Answer.NO), ("changes", Answer.CANNOT_TELL), ("disrupts", Answer.CANNOT_TELL)],
)
async def test_after_a_crash_without_a_check_only_reading_may_be_repeated(
    host: Any, make_io: Callable[..., Io], effect: str, answer: Answer
):
    assert await STEP.done(params("true", effect=effect), {}, subject_of(host[0]), make_io()) is answer


async def test_a_host_that_is_away_cannot_tell_and_provably_got_nothing(host: Any, make_io: Callable[..., Io]):
    target, sshd = host
    await sshd.refuse()
    assert await STEP.done(params("true", done=["true"]), {}, subject_of(target), make_io()) is Answer.CANNOT_TELL
    with pytest.raises(HostFault) as caught:
        await carried(make_io(), target, params("true"))
    assert caught.value.sent is False


async def test_a_command_that_a_signal_ended_is_uncertain(host: Any, make_io: Callable[..., Io]):
    with pytest.raises(StepUncertain, match="did not say"):
        await carried(make_io(), host[0], params("sh", "-c", "kill -9 $PPID"))


async def test_a_command_without_end_may_have_been_carried_out(host: Any, make_io: Callable[..., Io]):
    with pytest.raises(HostFault) as caught:
        await carried(make_io(), host[0], params("sleep", "1", within="300ms"))
    assert caught.value.sent is True


async def test_a_regular_expression_without_end_fails_the_step(host: Any, make_io: Callable[..., Io]):
    with pytest.raises(StepFailed, match="took longer"):
        await carried(make_io(), host[0], params("echo", "a" * 40 + "b", matches="^(a+)+$", within="1s"))


async def test_this_machine_needs_no_ssh(make_io: Callable[..., Io], tmp_path: Path):
    here = Target(NodeId("releve"), "127.0.0.1")
    outcome = await carried(make_io(token=7), here, params("printenv", "RELEVE_TOKEN"))
    assert outcome.output == "7"


async def test_a_script_of_ours_that_was_cut_off_is_uncertain(windows: Windows, make_io: Callable[..., Io]):
    async def cut_off(command: str) -> bytes:
        assert command.startswith("powershell.exe ")
        return b"half of\r\n"

    windows.before_answer = cut_off
    with pytest.raises(StepUncertain) as caught:
        await carried(make_io(), windows.target(), params("install.exe"))
    assert said(caught.value) == "hmp did not say how it went: half of"


@pytest.mark.parametrize(("code", "right"), [(3010, True), (194, False), (-1073741510, False)])
async def test_windows_says_all_32_bits_of_the_exit_code(
    hosts: Hosts, make_io: Callable[..., Io], tmp_path: Path, code: int, *, right: bool
):
    async def powershell(process: asyncssh.SSHServerProcess[str]) -> None:
        process.stdout.write("installed\r\n")
        process.stderr.write(f"warned\r\nreleve-exit={code}\r\n")
        process.exit(code & 0xFF)

    async with a_host(tmp_path, powershell, "windows") as (target, _):
        wanted = params("install.exe", exit=[0, 3010])
        if right:
            outcome = await carried(make_io(), target, wanted)
            assert (outcome.evidence, outcome.output) == ({"exit": 3010}, "installed\nwarned")
        else:
            with pytest.raises(StepFailed) as caught:
                await carried(make_io(), target, wanted)
            assert said(caught.value) == f"exit code {code} instead of 0, 3010: warned"


def test_no_device_and_no_check_is_told_before_anything_is_done(host: Any):
    with pytest.raises(StepFailed, match="no check"):
        STEP.actions(params("true"), Subject(CheckId("gone"), Site()))
    with pytest.raises(StepFailed, match="no device"):
        STEP.actions(params("true", device="gone"), subject_of(host[0]))


@pytest.mark.parametrize(
    "keys",
    [
        {"exit": []},
        {"exit": "0"},
        {"matches": "("},
        {"within": "0s"},
        {"effect": "none"},
        {"undo": []},
    ],
)
def test_keys_that_make_no_sense_are_refused(keys: Any):
    with pytest.raises(ValidationError):
        params("true", **keys)


def test_it_is_registered():
    assert isinstance(load("command"), Command)
