"""Step `router-config` without a router: what a line is, what a refusal, and what is told before any is typed."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lab.sshd import new_key
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from monitor.secret import Secret
from probes.access import SshAccess
from probes.contract import Target
from runbooks.contract import Answer, CheckOf, Effect, Io, Site, StepFailed, Subject
from runbooks.registry import load
from runbooks.router_lines import Line, refusal
from runbooks.router_wire import fingerprint_of
from runbooks.steps.router_config import RouterConfig, RouterConfigParams

STEP = RouterConfig()


def subject_of(platform: str | None) -> Subject:
    access = SshAccess.model_validate({"user": "releve", "password": Secret("x"), "platform": platform})
    target = Target(NodeId("router"), "192.0.2.1", {"ssh": access})
    check = CheckOf(CheckId("way"), "path", target.name, target, None)
    return Subject(check.id, Site(checks={check.id: check}, devices={target.name: target}))


def params(*lines: str, **keys: Any) -> RouterConfigParams:
    return RouterConfigParams.model_validate({"lines": list(lines), **keys})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        # As IOS, NX-OS, ASA, EOS and FRR print them.
        ("ip rute\n      ^\n% Invalid input detected at '^' marker.\n\nr(config)#", "% Invalid input detected at"),
        ("% Incomplete command.\n", "% Incomplete command."),
        ("%Error opening tftp://x (Timed out)", "%Error opening"),
        ("% Unknown command: ip nonsense", "% Unknown command"),
        ("ERROR: % Invalid Hostname", "ERROR: % Invalid Hostname"),
        ("Command rejected: Interface is a trunk", "Command rejected"),
        ("% 198.18.0.0 overlaps with GigabitEthernet0/0", "% 198.18.0.0 overlaps"),
        ("%SYS-5-CONFIG_I: Configured from console by releve", None),
        ("*Nov 26 10:00:00: %LINK-3-UPDOWN: Interface Gi0/0, changed state to up", None),
        ("%Warning: portfast should only be enabled on ports", None),
        ("% Warning: use /31 mask on non point-to-point interface cautiously", None),
        ("ip route 198.18.9.0/24 blackhole\nr(config)#", None),
        ("description 80% full\nerrors are counted", None),
        ("", None),
    ],
)
def test_a_refusal_is_told_from_log_messages_and_warnings(answer: str, why: str | None):
    found = refusal(answer)
    assert found is None if why is None else found is not None and found.startswith(why)


@given(st.text(max_size=300))
def test_no_answer_is_too_strange(answer: str):
    refusal(answer)


@pytest.mark.parametrize(
    "line", ["", "  ", "a\nb", "a\x1bb", "show ?", "end", "configure terminal", "Write", "x" * 501]
)
def test_what_is_no_line_of_a_configuration_is_refused(line: str):
    with pytest.raises(ValidationError):
        TypeAdapter(Line).validate_python(line)


def test_the_dry_run_says_the_lines_and_the_device():
    wanted = params("interface Gi0/0", " shutdown", rollback=["interface Gi0/0", "no shutdown"])
    (action,) = STEP.actions(wanted, subject_of("cisco_ios"))
    assert ENGLISH.render(action.said) == "configure router: interface Gi0/0; shutdown"
    assert (action.effect, action.target) == (Effect.DISRUPTS, "router")


@pytest.mark.parametrize("platform", [None, "linux", "windows", "juniper_junos"])
def test_a_device_of_no_family_that_is_known_is_told_before_anything_is_typed(platform: str | None):
    with pytest.raises(StepFailed, match="what command line") as caught:
        STEP.actions(params("x"), subject_of(platform))
    assert "cisco_ios, cisco_xe" in ENGLISH.render(caught.value.remedy)


def test_a_check_that_there_is_not_is_told_before_anything_is_typed():
    with pytest.raises(StepFailed, match="no check"):
        STEP.actions(params("x", verify="gone"), subject_of("cisco_ios"))


@pytest.mark.parametrize(("effect", "answer"), [("reads", Answer.NO), ("disrupts", Answer.CANNOT_TELL)])
async def test_after_a_crash_without_anything_to_look_at_nobody_can_tell(
    make_io: Callable[..., Io], effect: str, answer: Answer
):
    assert await STEP.done(params("x", effect=effect), {}, subject_of("cisco_ios"), make_io()) is answer


def test_a_fingerprint_is_that_of_openssh():
    key = new_key()
    line = key.export_public_key().decode()
    assert fingerprint_of(line) == fingerprint_of(key.get_fingerprint()) == key.get_fingerprint()
    assert fingerprint_of(f"{key.get_fingerprint()}=") == key.get_fingerprint()
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    assert fingerprint_of(line) == "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@pytest.mark.parametrize("keys", [{"within": "0s"}, {"done": {"show": "x"}}, {"rollback": ["end"]}, {"save": "maybe"}])
def test_keys_that_make_no_sense_are_refused(keys: dict[str, Any]):
    with pytest.raises(ValidationError):
        params("x", **keys)


def test_the_library_is_imported_only_by_whom_speaks_with_a_router():
    code = (
        "import sys; from runbooks.registry import load; load('router-config');"
        "sys.exit(bool({'netmiko', 'paramiko'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_is_registered():
    assert isinstance(load("router-config"), RouterConfig)
