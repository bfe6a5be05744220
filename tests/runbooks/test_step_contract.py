"""What every kind of step owes whoever plans, journals and resumes it, whatever it does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from monitor.secret import Secret
from probes.access import SqlAccess, SshAccess
from probes.contract import Target
from probes.disk import DiskParams
from probes.service import ServiceParams
from runbooks.contract import CheckOf, Effect, Recordings, Site, Subject
from runbooks.registry import KINDS, load

SSH = {"user": "releve", "password": Secret("sesame")}
SQL = {"database": "crm", "user": "releve", "password": Secret("sesame")}
ACCESS = {
    "hmp": {"ssh": SshAccess.model_validate({**SSH, "platform": "windows"})},
    "router": {"ssh": SshAccess.model_validate({**SSH, "platform": "cisco_ios"})},
    "sql": {"sql": SqlAccess.model_validate({**SQL, "engine": "postgresql"})},
    "mssql": {"sql": SqlAccess.model_validate({**SQL, "engine": "mssql"})},
    "nas": {"ssh": SshAccess.model_validate({**SSH, "platform": "linux"})},
}
DEVICES = {NodeId(name): Target(NodeId(name), "127.0.0.1", access) for name, access in ACCESS.items()}
HMP = DEVICES[NodeId("hmp")]
SERVICE = CheckOf(CheckId("onnet"), "service", HMP.name, HMP, ServiceParams(name="Onnet", expected=True, via="snmp"))
DISK = CheckOf(CheckId("audio"), "disk", HMP.name, HMP, DiskParams(mount="D:", via="snmp"))
AUDIO = Recordings("audio", HMP, "/D:/Audio", DEVICES[NodeId("nas")], "/audio")
SITE = Site({one.id: one for one in (SERVICE, DISK)}, DEVICES, {AUDIO.id: AUDIO})

SAMPLES: dict[str, dict[str, Any]] = {
    "service-restart": {"running": "restart", "stays": "5s", "starts_within": "90s"},
    "archive": {"limit": 10},
    "purge": {"until": "70%", "recordings": "audio"},
    "wait-for-check": {"check": "onnet", "within": "90s", "stays": "1.5s"},
    "notify": {"text": "It runs again"},
    "ask": {"text": "Is it off?"},
    "command": {"command": ["net", "stop", "dialler"], "within": "90s", "done": ["sc", "query", "dialler"]},
    "http-call": {"url": "https://x/v1", "headers": {"Authorization": "Bearer env:TOKEN"}, "body": {"a": [1, None]}},
    "sql-statement": {"device": "sql", "statement": ["UPDATE f SET t = :token"], "rows": 1, "value": True},
    "pg-promote": {"device": "sql", "within": "45s"},
    "router-config": {"device": "router", "lines": ["interface Gi0/0", "shutdown"], "within": "45s"},
    "patroni-switchover": {
        "device": "sql", "url": ["https://10.0.0.1:8008"], "candidate": "a", "user": "releve", "password": "env:TOKEN",
        "ca": "/etc/ca.pem", "cert": "/etc/own.pem", "key": "/etc/own.key", "force": True, "lag": "1.5 MB",
        "within": "2 min",
    },
    "always-on-failover": {"device": "mssql", "group": "crm", "forced": True, "within": "5 min"},
}  # fmt: skip


def subject(kind: str) -> Subject:
    """Return what a run of that kind is about."""
    return Subject(DISK.id if kind == "purge" else SERVICE.id, SITE)


def test_every_kind_has_a_sample_here():
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", SAMPLES)
def test_what_was_planned_comes_out_of_the_journal_as_the_same_plan(kind: str):
    step = load(kind)
    params = step.Params.model_validate(SAMPLES[kind])
    kept = json.loads(json.dumps(params.model_dump(mode="json", exclude_defaults=True)))
    assert step.Params.model_validate(kept) == params  # as a plan is frozen with a move
    planned = step.actions(params, subject(kind))
    assert planned
    assert step.actions(params, subject(kind)) == planned
    for action in planned:
        own = json.loads(json.dumps(dict(action.params)))
        assert own == dict(action.params)
        assert action in step.actions(
            step.Params.model_validate(own), subject(kind)
        )  # as a run finds it after a restart


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_dry_run_says_what_is_done_to_which_device(kind: str):
    step = load(kind)
    for action in step.actions(step.Params.model_validate(SAMPLES[kind]), subject(kind)):
        said = ENGLISH.render(action.said)
        assert said.replace("\u00a0", " ").isprintable()
        assert "{" not in said
        assert "sesame" not in said
        assert action.step == kind == step.kind
        assert action.target in DEVICES
        assert action.settle.total_seconds() >= 0
        assert action.effect in Effect


@pytest.mark.parametrize("kind", SAMPLES)
def test_each_key_is_described_an_unknown_one_refused_and_no_secret_stands_in_any(kind: str):
    step = load(kind)
    assert [name for name, own in step.Params.model_fields.items() if not own.description] == []
    with pytest.raises(ValidationError):
        step.Params.model_validate({**SAMPLES[kind], "no_such_key": 1})
    assert all(secret.by_reference for secret in step.Params.model_validate(SAMPLES[kind]).secrets().values())


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_step_keeps_nothing_between_two_actions(kind: str):
    assert vars(load(kind)) == {}
