"""Step `command` behind a real OpenSSH: words and token arrive although sshd lets no variable through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.core.ids import CheckId, NodeId
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh import HostFault
from runbooks.contract import Answer, CheckOf, Io, Site, StepUncertain, Subject
from runbooks.steps.command import Command, CommandParams
from tests.runbooks.conftest import hosts, make_io

__all__ = ["hosts", "make_io"]
STEP = Command()


@pytest.fixture
def subject(sshd: Any) -> Subject:
    access = SshAccess.model_validate(
        {"user": sshd.user, "key": f"file:{sshd.user_key}", "port": sshd.port, "host_key": sshd.fingerprint,
         "platform": "linux"}
    )  # fmt: skip
    target = Target(NodeId("dialler"), "127.0.0.1", {"ssh": access})
    check = CheckOf(CheckId("calls"), "service", target.name, target, None)
    return Subject(check.id, Site(checks={check.id: check}, devices={target.name: target}))


def params(*command: str, **keys: Any) -> CommandParams:
    return CommandParams.model_validate({"command": list(command), **keys})


async def test_words_and_token_arrive_as_they_are(subject: Subject, make_io: Callable[..., Io]):
    odd = ["l'été", "$HOME", "a b", ";", "*", "", "\\", '"']
    wanted = params("sh", "-c", 'printf "%s|" "$RELEVE_TOKEN" "$@"', "sh", *odd)
    outcome = await STEP.apply(wanted, {}, subject, make_io(token=9))
    assert outcome.output == "|".join(["9", *odd, ""])


async def test_what_a_signal_ended_or_a_cut_line_hid_is_uncertain_and_its_check_clears_it_up(
    subject: Subject, make_io: Callable[..., Io], sshd: Any, tmp_path: Path
):
    made = tmp_path / "made"
    with pytest.raises(StepUncertain):
        await STEP.apply(params("sh", "-c", "kill -9 $$"), {}, subject, make_io())
    wanted = params("sh", "-c", f"touch {made}; sleep 20", done=["test", "-e", str(made)])
    assert await STEP.done(wanted, {}, subject, make_io()) is Answer.NO
    running = asyncio.create_task(STEP.apply(wanted, {}, subject, make_io()))
    async with asyncio.timeout(20):
        while not made.exists():
            await asyncio.sleep(0.02)
    sshd.cut()
    with pytest.raises(HostFault) as caught:
        await running
    assert caught.value.sent is True
    assert await STEP.done(wanted, {}, subject, make_io()) is Answer.YES
