"""What each service manager is told and what it answers: literal in, literal out, and nothing for a shell to read."""

from __future__ import annotations

import base64
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from monitor.secret import Secret
from probes.access import SshAccess
from probes.contract import Target
from probes.disk import DiskParams
from probes.service import ServiceParams
from probes.ssh import Ran
from runbooks import service_powershell, service_sc, service_supervisor, service_systemd
from runbooks.contract import CheckOf, StepFailed
from runbooks.services import (
    Dialect,
    Manager,
    ServiceNow,
    State,
    Why,
    dialect_of,
    host_of,
    manager_of,
    name_of,
)

ALL = [dialect_of(manager) for manager in Manager]


def ran(out: str = "", err: str = "", status: int | None = 0) -> Ran:
    return Ran(status, out, err, False)


def brief(now: ServiceNow) -> tuple[Any, ...]:
    return now.key, now.state, now.pid, now.disabled, now.marker, ENGLISH.render(now.detail)


# sc.exe, as Windows Server 2019 and 2012 R2 print it, in English and in French

RUNNING = """
SERVICE_NAME: Onnet
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
        PID                : 3524
        FLAGS              :
"""
FRENCH = """
NOM_SERVICE: Onnet
        TYPE               : 110  WIN32_OWN_PROCESS (interactive)
        ÉTAT              : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        CODE_SORTIE_WIN32    : 0  (0x0)
        CODE_SORTIE_SERVICE  : 0  (0x0)
        POINT_DE_CONTRÔLE         : 0x0
        ATTENTE          : 0x0
        ID_PROCESSUS                : 3524
        INDICATEURS              :
"""


def stopped(code: int, own: int = 0) -> str:
    return (
        "\nSERVICE_NAME: 3CX 4 Manager\n        TYPE               : 10  WIN32_OWN_PROCESS\n"
        f"        STATE              : 1  STOPPED\n        WIN32_EXIT_CODE    : {code}  ({code:#x})\n"
        f"        SERVICE_EXIT_CODE  : {own}  ({own:#x})\n        CHECKPOINT         : 0x0\n"
        "        WAIT_HINT          : 0x0\n        PID                : 0\n        FLAGS              :\n"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ran(RUNNING), ("n", State.RUNNING, 3524, False, "", "")),
        (ran(FRENCH), ("n", State.RUNNING, 3524, False, "", "")),
        (ran(RUNNING.replace("4  RUNNING", "2  START_PENDING")), ("n", State.STARTING, 3524, False, "", "")),
        (ran(RUNNING.replace("4  RUNNING", "3  STOP_PENDING")), ("n", State.STOPPING, 3524, False, "", "")),
        (ran(RUNNING.replace("4  RUNNING", "7  PAUSED")), ("n", State.PAUSED, 3524, False, "", "")),
        (ran(RUNNING.replace("4  RUNNING", "9  NEW")), ("n", State.UNKNOWN, None, False, "", None)),
        (ran(stopped(0)), ("n", State.STOPPED, None, False, "", "")),
        (ran(stopped(1077)), ("n", State.STOPPED, None, False, "1077", "")),
        (ran(stopped(1067)), ("n", State.FAILED, None, False, "", "the process of n ended unexpectedly")),
        (ran(stopped(1066, 42)), ("n", State.FAILED, None, False, "", "it ended with error 42 of its own")),
        (
            ran("[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\n\nThe specified ...\n", status=36),
            ("n", State.ABSENT, None, False, "", ""),
        ),
        (
            ran("[SC] EnumQueryServicesStatus:OpenService échec(s) 1060\N{NO-BREAK SPACE}:\n\nLe service ...\n"),
            ("n", State.ABSENT, None, False, "", ""),
        ),
        (
            ran("[SC] OpenService ÉCHEC(S) 5 :\n\nAccès refusé.\n", status=5),
            ("n", State.UNKNOWN, None, False, "", "Relève may not start or stop n"),
        ),
        (ran(err="'sc.exe' is not recognized"), ("n", State.UNKNOWN, None, False, "", "'sc.exe' is not recognized")),
        (ran(), ("n", State.UNKNOWN, None, False, "", "nothing")),
    ],
)  # fmt: skip
def test_queryex_is_read_by_its_numbers_in_any_language(answer, expected):
    found = brief(service_sc.read_state("n", answer))
    assert found == (found if expected[-1] is None else expected)
    assert found[:5] == expected[:5]


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("[SC] GetServiceKeyName SUCCESS\nName = MSSQLSERVER\n", "MSSQLSERVER"),
        ("[SC] GetServiceKeyName RÉUSSITE(S)\nNom = Spooler \n\n", "Spooler"),
        ("[SC] GetServiceKeyName FAILED 1060:\n\nThe specified service does not exist.\n", None),
        ("", None),
    ],
)
def test_the_key_name_is_read_in_any_language(out, expected):
    assert service_sc.read_key(ran(out)) == expected


def test_qc_tells_the_disabled_ones():
    config = (
        "[SC] QueryServiceConfig SUCCESS\n\nSERVICE_NAME: 4\n        TYPE               : 20  WIN32_SHARE_PROCESS\n"
    )
    assert service_sc.read_disabled(ran(config + "        START_TYPE         : 4   DISABLED\n"))
    assert not service_sc.read_disabled(ran(config + "        START_TYPE         : 2   AUTO_START  (DELAYED)\n"))
    assert not service_sc.read_disabled(ran(""))


@pytest.mark.parametrize(
    ("answer", "why", "said"),
    [
        (ran(RUNNING.replace("4  RUNNING", "2  START_PENDING")), None, ""),
        (ran("[SC] StartService FAILED 1056:\n", status=32), Why.RUNS_ALREADY, "Onnet runs already"),
        (ran("[SC] ControlService échec(s) 1062 :\n", status=38), Why.DOES_NOT_RUN, "Onnet does not run"),
        (ran("[SC] StartService: OpenService FAILED 1060:\n"), Why.OTHER, "hmp has no service Onnet"),
        (ran("[SC] StartService FAILED 1058:\n"), Why.OTHER, "Onnet is disabled"),
        (ran("[SC] StartService FAILED 1053:\n"), Why.OTHER, "Onnet did not answer the request to start in time"),
        (ran("[SC] StartService FAILED 5:\n", status=5), Why.OTHER, "Relève may not start or stop Onnet"),
        (ran("[SC] ControlService FAILED 1051:\n"), Why.OTHER, "Onnet cannot be stopped while services that need it"),
        (ran("[SC] StartService FAILED 31337:\n"), Why.OTHER, "Windows refuses with error 31337 for Onnet"),
        (ran(err="not recognized", status=1), Why.OTHER, "hmp did not do as it was told with Onnet: not recognized"),
    ],
)
def test_every_refusal_of_sc_has_a_sentence(answer, why, said):
    refusal = service_sc.Sc().refusal("Onnet", answer, "hmp")
    assert (refusal.why if refusal else None) is why
    assert said in (ENGLISH.render(refusal.text) if refusal else "")
    if why is Why.OTHER and refusal is not None:
        assert refusal.remedy is not None
        assert "{" not in ENGLISH.render(refusal.remedy)


# PowerShell


def script_of(command: str) -> str:
    program, *options, encoded = command.split(" ")
    assert program == "powershell.exe"
    assert options == ["-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand"]
    return base64.b64decode(encoded).decode("utf-16-le")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            '{"code":0,"key":"MSSQL$X","state":4,"pid":1712,"mode":"Auto","exit":0,"own":0}',
            ("MSSQL$X", State.RUNNING, 1712, False, "", ""),
        ),
        ('{"key":"A","state":1,"code":0}', ("A", State.STOPPED, None, False, "", "")),
        (
            '#< CLIXML\n{"code":0,"key":"A","state":1,"pid":0,"mode":"Disabled","exit":1077,"own":0}\n',
            ("A", State.STOPPED, None, True, "1077", ""),
        ),
        (
            '{"code":0,"key":"A","state":1,"pid":0,"mode":"Auto","exit":1067,"own":0}',
            ("A", State.FAILED, None, False, "", "the process of n ended unexpectedly"),
        ),
        ('{"code":1060}', ("n", State.ABSENT, None, False, "", "")),
        ('{"code":0,"state":"4; evil","key":["x"]}', ("n", State.UNKNOWN, None, False, "", None)),
        ("[1, 2]", ("n", State.UNKNOWN, None, False, "", "[1, 2]")),
        ("{", ("n", State.UNKNOWN, None, False, "", "{")),
        ("", ("n", State.UNKNOWN, None, False, "", "nothing")),
    ],
)  # fmt: skip
def test_powershell_answers_in_json(answer, expected):
    found = brief(service_powershell.read_state("n", ran(answer)))
    assert found[:5] == expected[:5]
    assert expected[5] in (None, found[5])


def test_no_name_leaves_the_quotes_of_the_script():
    dialect = service_powershell.PowerShell()
    for command in (dialect.start("L'Onnet’s $x"), dialect.stop("L'Onnet’s $x")):
        script = script_of(command)
        assert "Get-Service -Name 'L''Onnet’’s $x' -ErrorAction Stop" in script
        assert "{" not in script.replace("{$", "").replace("{if", "") or script.count("{") == script.count("}")
    assert ".Start()" in script_of(dialect.start("x"))
    assert "DependentServices" in script_of(dialect.stop("x"))


async def test_the_script_that_looks_fits_into_a_command_line_of_cmd():
    asked: list[str] = []

    async def ask(command: str) -> Ran:
        asked.append(command)
        return ran('{"code":1060}')

    await service_powershell.PowerShell().look("x" * 256, ask, closely=True)
    assert "Get-CimInstance Win32_Service" in script_of(asked[0])
    assert len(asked[0]) < 8191  # "Command prompt line string limitation", learn.microsoft.com


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ('{"code":0}', None),
        ('{"code":1056}', Why.RUNS_ALREADY),
        ('{"code":1062}', Why.DOES_NOT_RUN),
        ('{"code":1058}', Why.OTHER),
        ('{"code":-1}', Why.OTHER),
        ('{"code":"0"}', Why.OTHER),
        ("", Why.OTHER),
    ],
)
def test_only_code_0_of_powershell_is_a_yes(out, why):
    refusal = service_powershell.PowerShell().refusal("x", ran(out), "hmp")
    assert (refusal.why if refusal else None) is why


# systemd, as systemctl of systemd 252 and 219 show it (org.freedesktop.systemd1(5))

ACTIVE = """\
LoadState=loaded
ActiveState=active
SubState=running
MainPID=812
InvocationID=3f1c9a
NRestarts=0
StateChangeTimestampMonotonic=12500000
Result=success
"""


def unit(**changes: str) -> str:
    shown = dict(line.split("=", 1) for line in ACTIVE.splitlines()) | changes
    return "".join(f"{key}={value}\n" for key, value in shown.items())


DEAD = {"ActiveState": "inactive", "SubState": "dead", "MainPID": "0"}
MARK = "3f1c9a 0 12500000"
OLD = "LoadState=loaded\nActiveState=inactive\nSubState=dead\nMainPID=0\nStateChangeTimestampMonotonic=9\n"
"""systemd 219 (CentOS 7) has neither InvocationID nor NRestarts: nothing then proves that no start was accepted."""


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (ACTIVE, (State.RUNNING, 812, False, MARK, "")),
        (unit(**DEAD), (State.STOPPED, None, False, MARK, "")),
        (unit(**DEAD, Job="4711"), (State.STARTING, None, False, MARK, "")),
        (
            unit(**DEAD | {"ActiveState": "failed", "SubState": "failed"}, Result="exit-code"),
            (State.FAILED, None, False, MARK, "failed/failed, exit-code"),
        ),
        (
            unit(ActiveState="activating", SubState="auto-restart", NRestarts="3"),
            (State.STARTING, 812, False, "3f1c9a 3 12500000", ""),
        ),
        (unit(ActiveState="deactivating", SubState="stop-sigterm"), (State.STOPPING, 812, False, MARK, "")),
        (unit(**DEAD, LoadState="masked"), (State.STOPPED, None, True, MARK, "")),
        (unit(**DEAD, LoadState="not-found"), (State.ABSENT, None, False, "", "")),
        (OLD, (State.STOPPED, None, False, "", "")),
        ("", (State.UNKNOWN, None, False, "", "nothing")),
    ],
)
def test_a_unit_is_read_as_systemctl_shows_it(shown, expected):
    assert brief(service_systemd.read_state("onnet", ran(shown)))[1:] == expected


def test_a_host_without_systemd_says_so():
    said = "System has not been booted with systemd as init system (PID 1). Can't operate.\n"
    now = service_systemd.read_state("onnet", ran("", said, 1))
    assert (now.state, ENGLISH.render(now.detail)) == (State.UNKNOWN, said.strip())


@pytest.mark.parametrize(
    ("err", "said"),
    [
        ("Failed to start onnet.service: Interactive authentication required.\n", "Relève may not start or stop onnet"),
        ("Failed to start onnet.service: Access denied\n", "Relève may not start or stop onnet"),
        (
            "Failed to start onnet.service: Unit onnet.service is masked.\n",
            "systemd refuses for onnet: Failed to start",
        ),
        ("", "systemd refuses for onnet: nothing"),
    ],
)
def test_every_refusal_of_systemd_has_a_sentence(err, said):
    refusal = service_systemd.Systemd().refusal("onnet", ran("", err, 1), "hmp")
    assert refusal is not None
    assert ENGLISH.render(refusal.text).startswith(said)
    assert (
        service_systemd.Systemd().refusal("onnet", ran("", "Warning: The unit file changed on disk.\n"), "hmp") is None
    )


# supervisor, as supervisorctl 4.2.5 prints it


@pytest.mark.parametrize(
    ("out", "state", "pid", "detail"),
    [
        ("onnet                            RUNNING   pid 812, uptime 0:00:10\n", State.RUNNING, 812, ""),
        ("onnet                            STARTING  \n", State.STARTING, None, ""),
        ("onnet                            BACKOFF   Exited too quickly\n", State.STARTING, None, ""),
        ("onnet                            STOPPING  \n", State.STOPPING, None, ""),
        ("onnet                            STOPPED   Not started\n", State.STOPPED, None, "STOPPED Not started"),
        ("onnet   EXITED    Nov 26 06:10 AM\n", State.FAILED, None, "EXITED Nov 26 06:10 AM"),
        ("onnet   FATAL     can't find command '/x'\n", State.FAILED, None, "FATAL can't find command '/x'"),
        ("onnet: ERROR (no such process)\n", State.ABSENT, None, "onnet: ERROR (no such process)"),
        ("other   RUNNING   pid 812\n", State.UNKNOWN, None, "other   RUNNING   pid 812"),
        ("unix:///run/supervisor.sock no such file\n", State.UNKNOWN, None, "unix:///run/supervisor.sock no such file"),
        ("", State.UNKNOWN, None, "nothing"),
    ],
)
def test_a_program_is_read_as_supervisorctl_prints_it(out, state, pid, detail):
    now = service_supervisor.read_state("onnet", ran(out))
    assert (now.state, now.pid, ENGLISH.render(now.detail)) == (state, pid, detail)
    assert now.marker == ("Not started" if detail.endswith("Not started") else "")


LOG = """\
2026-11-26 06:10:00,001 INFO spawned: 'onnet' with pid 812
2026-11-26 06:10:01,003 INFO success: onnet entered RUNNING state, process has stayed up for > than 1 seconds
2026-11-26 06:11:00,007 INFO exited: onnet (exit status 1; not expected)
2026-11-26 06:11:00,100 INFO spawned: 'onnet2' with pid 900
2026-11-26 06:11:01,100 INFO success: onnet2 entered RUNNING state, process has stayed up for > than 1 seconds
"""


def test_the_last_word_on_a_program_in_supervisors_log_marks_its_last_start():
    marker = service_supervisor.read_last_start("site:onnet", ran(LOG))
    assert marker == "2026-11-26 06:11:00,007 INFO exited: onnet (exit status 1; not expected)"
    more = LOG + "2026-11-26 06:12:00,100 INFO spawned: 'onnet' with pid 950\n"
    assert service_supervisor.read_last_start("site:onnet", ran(more)) != marker
    assert service_supervisor.read_last_start("sql", ran(LOG)) == ""


@pytest.mark.parametrize(
    ("out", "why", "said"),
    [
        ("onnet: started\n", None, ""),
        ("onnet: stopped\n", None, ""),
        ("onnet: ERROR (already started)\n", Why.RUNS_ALREADY, "supervisor refuses for onnet: already started"),
        ("onnet: ERROR (not running)\n", Why.DOES_NOT_RUN, "supervisor refuses for onnet: not running"),
        ("onnet: ERROR (spawn error)\n", Why.OTHER, "onnet could not be started, or ended at once"),
        ("onnet: ERROR (no such process)\n", Why.OTHER, "hmp has no service onnet"),
        ("unix:///x.sock refused connection\n", Why.OTHER, "supervisor refuses for onnet: unix:///x.sock refused"),
        ("", Why.OTHER, "supervisor refuses for onnet: nothing"),
    ],
)
def test_every_refusal_of_supervisor_has_a_sentence(out, why, said):
    refusal = service_supervisor.Supervisor().refusal("onnet", ran(out), "hmp")
    assert (refusal.why if refusal else None) is why
    assert (ENGLISH.render(refusal.text) if refusal else "").startswith(said)


def test_the_configuration_of_supervisor_is_a_path_and_nothing_else():
    command = service_supervisor.Supervisor("/opt/site/supervisord.conf").start("site:onnet")
    assert command == "supervisorctl -c /opt/site/supervisord.conf start site:onnet"
    for path in ("relative.conf", "/etc/x; reboot", "/etc/$(x)", ""):
        with pytest.raises(StepFailed):
            service_supervisor.Supervisor(path)


# Names

EVIL = [
    'x" & shutdown /s',
    "x; reboot",
    "x|y",
    "x`y",
    "x>y",
    "%PATH%",
    "x\ny",
    "x^y",
    "*",
    "a[b]",
    "",
    "-x",
    "/x",
    "x“y",
    "\0",
]


@pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.manager.value)
@pytest.mark.parametrize("name", EVIL)
def test_a_name_in_which_a_shell_would_read_more_is_never_said(dialect: Dialect, name: str):
    for say in (dialect.proper, dialect.start, dialect.stop):
        with pytest.raises(StepFailed) as raised:
            say(name)
        assert f"cannot be the name of a service of {dialect.manager.value}" in ENGLISH.render(raised.value.text)
        assert raised.value.remedy is not None


@pytest.mark.parametrize(
    "name", ["SQL Server (MSSQLSERVER)", "Spouleur d’impression", "Gestion d'événements", "3CX", "N°1"]
)
def test_the_names_that_windows_shows_are_said_as_they_are(name):
    if "°" in name:
        with pytest.raises(StepFailed):
            service_sc.Sc().proper(name)
    else:
        assert service_sc.Sc().start(name) == f'sc.exe start "{name}"'


def test_a_dollar_goes_by_powershell_only_and_the_refusal_says_so():
    with pytest.raises(StepFailed) as raised:
        service_sc.Sc().start("MSSQL$SQLEXPRESS")
    assert raised.value.remedy is not None
    assert "manager: powershell" in ENGLISH.render(raised.value.remedy)
    assert "'MSSQL$SQLEXPRESS'" in script_of(service_powershell.PowerShell().start("MSSQL$SQLEXPRESS"))


@given(st.text(max_size=40))
def test_no_name_at_all_gets_past_the_words_of_a_command(name):
    for dialect in ALL:
        try:
            command = dialect.start(name)
        except StepFailed:
            continue
        if dialect.manager is Manager.SC:
            assert command == f'sc.exe start "{name}"'
            assert not set('"$`%!&|<>^;\n') & set(name)
        elif dialect.manager is not Manager.POWERSHELL:
            assert shlex.split(command)[-1] == name
            assert not set("\"'$`&|<>;*?~#(){}\n ") & set(name)


# Who is asked


def target(platform: str | None, **access: Any) -> Target:
    ssh = SshAccess.model_validate({"user": "x", "password": Secret("y"), "platform": platform, **access})
    return Target(NodeId("hmp"), "192.0.2.1", {"ssh": ssh})


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (target("windows"), Manager.SC),
        (target("Windows"), Manager.SC),
        (target("linux"), Manager.SYSTEMD),
        (Target(NodeId("self"), "127.0.0.1"), Manager.SYSTEMD),
    ],
)
def test_the_platform_says_which_manager(where, expected):
    assert manager_of(where) is expected


@pytest.mark.parametrize("where", [target(None), target("cisco_ios"), Target(NodeId("hmp"), "192.0.2.1")])
def test_nobody_guesses_what_runs_the_services_of_a_host(where):
    with pytest.raises(StepFailed) as raised:
        manager_of(where)
    assert raised.value.remedy is not None


def check(params: Any) -> CheckOf:
    return CheckOf(CheckId("onnet"), "service", NodeId("hmp"), target("windows"), params)


def test_a_check_that_watches_no_service_cannot_be_repaired_by_starting_one():
    assert name_of(check(ServiceParams(name="Onnet"))) == "Onnet"
    for params in (ServiceParams(process="Onnet.exe", via="snmp"), DiskParams(mount="/")):
        with pytest.raises(StepFailed):
            name_of(check(params))


def test_what_is_seen_from_inside_is_on_this_machine():
    assert host_of(check(ServiceParams(name="Onnet", via="local"))) == Target(NodeId("hmp"), "127.0.0.1")
    assert host_of(check(ServiceParams(name="Onnet", via="snmp"))) == target("windows")
