"""`sc.exe` by the letter: what Windows writes, and the exit codes."""

import asyncio

import pytest

from lab.sc import answer
from lab.scm import Scm
from lab.voice import SERVICES
from monitor.clock import SystemClock

RUNS = (
    "\r\n"
    "SERVICE_NAME: Onnet \r\n"
    "        TYPE               : 10  WIN32_OWN_PROCESS  \r\n"
    "        STATE              : 4  RUNNING \r\n"
    "                                (STOPPABLE, PAUSABLE, ACCEPTS_SHUTDOWN)\r\n"
    "        WIN32_EXIT_CODE    : 0  (0x0)\r\n"
    "        SERVICE_EXIT_CODE  : 0  (0x0)\r\n"
    "        CHECKPOINT         : 0x0\r\n"
    "        WAIT_HINT          : 0x0\r\n"
)
DIED = (
    "\r\n"
    "SERVICE_NAME: Onnet \r\n"
    "        TYPE               : 10  WIN32_OWN_PROCESS  \r\n"
    "        STATE              : 1  STOPPED \r\n"
    "        WIN32_EXIT_CODE    : 1067  (0x42b)\r\n"
    "        SERVICE_EXIT_CODE  : 0  (0x0)\r\n"
    "        CHECKPOINT         : 0x0\r\n"
    "        WAIT_HINT          : 0x0\r\n"
    "        PID                : 0\r\n"
    "        FLAGS              : \r\n"
)
STARTS = (
    "\r\n"
    "SERVICE_NAME: Onnet \r\n"
    "        TYPE               : 10  WIN32_OWN_PROCESS  \r\n"
    "        STATE              : 2  START_PENDING \r\n"
    "                                (NOT_STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)\r\n"
    "        WIN32_EXIT_CODE    : 0  (0x0)\r\n"
    "        SERVICE_EXIT_CODE  : 0  (0x0)\r\n"
    "        CHECKPOINT         : 0x1\r\n"
    "        WAIT_HINT          : 0x7d0\r\n"
    "        PID                : {pid}\r\n"
    "        FLAGS              : \r\n"
)
ENDS = (
    "\r\n"
    "SERVICE_NAME: Slave \r\n"
    "        TYPE               : 10  WIN32_OWN_PROCESS  \r\n"
    "        STATE              : 3  STOP_PENDING \r\n"
    "                                (STOPPABLE, PAUSABLE, ACCEPTS_SHUTDOWN)\r\n"
    "        WIN32_EXIT_CODE    : 0  (0x0)\r\n"
    "        SERVICE_EXIT_CODE  : 0  (0x0)\r\n"
    "        CHECKPOINT         : 0x1\r\n"
    "        WAIT_HINT          : 0xbb8\r\n"
)
CONFIGURED = (
    "[SC] QueryServiceConfig SUCCESS\r\n"
    "\r\n"
    "SERVICE_NAME: Onnet\r\n"
    "        TYPE               : 10  WIN32_OWN_PROCESS \r\n"
    "        START_TYPE         : 2   AUTO_START\r\n"
    "        ERROR_CONTROL      : 1   NORMAL\r\n"
    '        BINARY_PATH_NAME   : "C:\\Program Files\\Vocalcom\\Onnet\\Onnet.exe"\r\n'
    "        LOAD_ORDER_GROUP   : \r\n"
    "        TAG                : 0\r\n"
    "        DISPLAY_NAME       : Onnet\r\n"
    "        DEPENDENCIES       : MSSQLSERVER\r\n"
    "        SERVICE_START_NAME : LocalSystem\r\n"
)
NOBODY = "The specified service does not exist as an installed service.\r\n\r\n"


@pytest.fixture
async def scm() -> Scm:
    made = Scm(SERVICES, SystemClock(), asyncio.get_running_loop().time)
    made.start_takes = made.stop_takes = 60.0
    made.boot()
    return made


@pytest.mark.parametrize("command", ["sc.exe query Onnet", 'sc query "Onnet"', "SC.EXE QUERY onnet"])
async def test_a_running_service_has_its_state_and_what_it_can_be_told(scm, command):
    assert (await answer(command, scm)).out == RUNS


async def test_queryex_tells_the_process_too(scm):
    said = await answer("sc.exe queryex Onnet", scm)
    life = scm.life("Onnet")
    assert life is not None
    process = f"        PID                : {life.pid}\r\n        FLAGS              : \r\n"
    assert (said.out, said.status, said.err) == (RUNS + process, 0, "")


async def test_one_that_died_says_how_and_has_no_process(scm):
    scm.crash("Onnet")
    assert (await answer("sc.exe queryex Onnet", scm)).out == DIED


async def test_a_start_answers_with_the_new_process(scm):
    scm.crash("Onnet")
    said = await answer('sc.exe start "Onnet"', scm)
    life = scm.life("Onnet")
    assert life is not None
    assert (said.out, said.status) == (STARTS.format(pid=life.pid), 0)
    assert scm.starts("Onnet") == 1


async def test_a_stop_answers_without_the_process(scm):
    said = await answer("sc.exe stop Slave", scm)
    assert (said.out, said.status) == (ENDS, 0)
    assert scm.stops("Slave") == 1


async def test_the_configuration_names_how_it_starts_and_what_it_needs(scm):
    said = await answer("sc.exe qc Onnet", scm)
    assert (said.out, said.status) == (CONFIGURED, 0)
    alone = await answer("sc.exe qc MSSQLSERVER", scm)
    assert "        DEPENDENCIES       : \r\n" in alone.out


async def test_the_name_behind_a_display_name_is_told(scm):
    said = await answer('sc.exe GetKeyName "SQL Server (MSSQLSERVER)"', scm)
    assert (said.out, said.status) == ("[SC] GetServiceKeyName SUCCESS\r\nName = MSSQLSERVER\r\n\r\n", 0)


@pytest.mark.parametrize(
    ("command", "out", "status"),
    [
        ("sc.exe queryex Nobody", f"[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n\r\n{NOBODY}", 1060),
        ("sc.exe start Nobody", f"[SC] StartService: OpenService FAILED 1060:\r\n\r\n{NOBODY}", 1060),
        ("sc.exe stop Nobody", f"[SC] OpenService FAILED 1060:\r\n\r\n{NOBODY}", 1060),
        ("sc.exe qc Nobody", f"[SC] OpenService FAILED 1060:\r\n\r\n{NOBODY}", 1060),
        ("sc.exe GetKeyName Nobody", f"[SC] GetServiceKeyName FAILED 1060:\r\n\r\n{NOBODY}", 1060),
        (
            "sc.exe start Onnet",
            "[SC] StartService FAILED 1056:\r\n\r\nAn instance of the service is already running.\r\n\r\n",
            1056,
        ),
        (
            "sc.exe stop Onnet",
            "[SC] ControlService FAILED 1051:\r\n\r\n"
            "A stop control has been sent to a service that other running services are dependent on.\r\n\r\n",
            1051,
        ),
        ("sc.exe wat Onnet", "\r\nERROR:  Unrecognized command\r\n", 1639),
        ("sc.exe start", "\r\nERROR:  Unrecognized command\r\n", 1639),
    ],
)
async def test_every_refusal_has_the_words_and_the_code_of_windows(scm, command, out, status):
    said = await answer(command, scm)
    assert (said.out, said.status, said.err) == (out, status, "")
    assert scm.accepted == []


async def test_one_that_is_stopped_cannot_be_stopped(scm):
    scm.crash("Slave")
    said = await answer("sc.exe stop Slave", scm)
    assert said.status == 1062
    assert said.out == "[SC] ControlService FAILED 1062:\r\n\r\nThe service has not been started.\r\n\r\n"


@pytest.mark.parametrize("command", ["", "systemctl start Onnet", '"sc.exe'])
async def test_any_other_program_is_not_there(scm, command):
    said = await answer(command, scm)
    assert (said.out, said.status) == ("", 1)
    assert "is not recognized as an internal or external command" in said.err
