"""Does a service run: Windows lists only what is not stopped, so absence means something only after presence."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from probes.contract import ProbeFault, Target
from probes.local import ServiceSeen, ServiceState
from probes.service import Listed, Service, ServiceParams, settled

SERVICES = "1.3.6.1.4.1.77.1.2.3.1"
PROGRAMS = "1.3.6.1.2.1.25.4.2.1.2"
HOST = Target(NodeId("hmp"), "127.0.0.1")


def listed(agent, names, operating=1, encoding="utf-8"):
    """Fill svSvcTable, indexed by the octets of the names, as Windows does."""
    for name in names:
        raw = name.encode(encoding)
        index = ".".join(str(octet) for octet in (len(raw), *raw))
        agent.put(f"{SERVICES}.1.{index}", raw)
        agent.put(f"{SERVICES}.2.{index}", 4)
        agent.put(f"{SERVICES}.3.{index}", operating)


def params(name="Onnet", **changes):
    return ServiceParams.model_validate({"via": "snmp", "name": name, **changes})


async def observed(agent, io, name="Onnet", **changes):
    return await Service().observe(agent.target(), params(name, **changes), io)


async def test_a_listed_service_runs(agent, make_io):
    listed(agent, ["Onnet", "Slave"])
    assert (await observed(agent, make_io())).state is ServiceState.RUNNING


@pytest.mark.parametrize(
    ("shown", "typed"),
    [
        ("Onnet", "ONNET"),
        ("Journal d’événements Windows", "Journal d'événements Windows"),
        ("Service\u00a0SSTP", "Service SSTP"),
        ("Gestion e\u0301nergie", "gestion énergie"),
    ],
)
async def test_a_service_is_found_by_the_name_that_people_type(agent, make_io, shown, typed):
    listed(agent, [shown])
    assert (await observed(agent, make_io(), typed)).state is ServiceState.RUNNING


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
async def test_a_french_name_is_read_in_either_code(agent, make_io, encoding):
    listed(agent, ["Spouleur d’impression"], encoding=encoding)
    assert (await observed(agent, make_io(), "Spouleur d’impression")).state is ServiceState.RUNNING


@pytest.mark.parametrize(
    ("operating", "state"),
    [
        (1, ServiceState.RUNNING),
        (2, ServiceState.STARTING),
        (3, ServiceState.STOPPING),
        (4, ServiceState.STOPPED),
        (9, ServiceState.STOPPED),
    ],
)
async def test_the_operating_state_is_told(agent, make_io, operating, state):
    listed(agent, ["Onnet"], operating)
    assert (await observed(agent, make_io())).state is state


async def test_a_service_seen_before_and_missing_now_is_stopped(agent, make_io):
    memory = {}
    listed(agent, ["Onnet", "Slave"])
    await observed(agent, make_io(memory=memory))
    agent.objects = {oid: value for oid, value in agent.objects.items() if ord("O") not in oid}
    assert (await observed(agent, make_io(memory=memory))).state is ServiceState.STOPPED


async def test_a_service_never_seen_is_unknown_and_the_nearest_is_named(agent, make_io):
    listed(agent, ["Onnet", "Slave"])
    with pytest.raises(ProbeFault) as fault:
        await observed(agent, make_io(), "Onet")
    assert "Nearest names: Onnet" in ENGLISH.render(fault.value.remedy)


async def test_a_program_is_watched_by_its_name(agent, make_io):
    agent.table(PROGRAMS, {1: "System", 4: "Onnet.exe"})
    watching = ServiceParams.model_validate({"via": "snmp", "process": "onnet.exe"})
    seen = await Service().observe(agent.target(), watching, make_io())
    assert (seen.name, seen.state) == ("Onnet.exe", ServiceState.RUNNING)


def test_a_list_that_was_cut_short_proves_no_stop():
    with pytest.raises(ProbeFault, match="did not list all"):
        settled(Listed("Onnet", None, complete=False, before=True, known=("Slave",)), HOST)


@pytest.mark.parametrize("before", [False, True])
def test_an_agent_that_lists_nothing_at_all_is_at_fault_not_the_service(before):
    with pytest.raises(ProbeFault, match="lists nothing"):
        settled(Listed("Onnet", None, before=before), HOST)


async def test_a_service_that_the_inventory_vouches_for_is_stopped_though_never_seen(agent, make_io):
    listed(agent, ["Slave"])
    seen = await observed(agent, make_io(), expected=True)
    assert seen == ServiceSeen("Onnet", ServiceState.STOPPED)


async def test_windows_server_2019_breaks_off_its_list_and_proves_nothing(agent, make_io):
    """Its agent ends svSvcTable with genErr on some machines."""
    listed(agent, [f"Service {n:02}" for n in range(30)])
    agent.twist = lambda request, answer: [agent.refuse(request) if len(agent.asked) > 1 else answer]
    with pytest.raises(ProbeFault, match="did not list all"):
        await observed(agent, make_io(), expected=True)


@pytest.mark.parametrize(
    ("state", "severity", "down"),
    [
        (ServiceState.RUNNING, Severity.OK, False),
        (ServiceState.STARTING, Severity.WARNING, False),
        (ServiceState.STOPPING, Severity.WARNING, False),
        (ServiceState.STOPPED, Severity.CRITICAL, True),
        (ServiceState.FAILED, Severity.CRITICAL, True),
    ],
)
def test_only_a_service_that_runs_is_well(state, severity, down):
    verdict = Service().judge(ServiceSeen("Onnet", state), params())
    assert (verdict.severity, verdict.down, verdict.facts["state"]) == (severity, down, state.value)
    assert "Onnet" in ENGLISH.render(verdict.summary)


def test_the_up_time_is_told_and_can_be_judged():
    seen = ServiceSeen("cron.service", ServiceState.RUNNING, 30.0, "active/running")
    verdict = Service().judge(seen, params("cron", thresholds={"uptime": {"warning": "60 s:"}}))
    assert verdict.severity is Severity.WARNING
    assert verdict.metrics[0].value == 30


@pytest.mark.parametrize("keys", [{}, {"name": "a", "process": "b"}, {"via": "local", "process": "b"}])
def test_exactly_one_thing_is_watched(keys):
    with pytest.raises(ValidationError):
        ServiceParams.model_validate({"via": "snmp", **keys})
