"""The command line's frame: help in the reader's language, exit codes, failures without tracebacks."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import click
import pytest

from monitor.cli import carry_out as run
from monitor.cli.commands import COMMANDS, localized
from monitor.cli.context import ExitCode, Failure, Settings, pass_settings, spoken, state_folder
from monitor.core.text import Quantity, say

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def releve(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """`releve(*arguments)`: the exit code, stdout and stderr of one command line in this process."""
    for name in ("RELEVE_LANG", "RELEVE_INVENTORY", "RELEVE_DATA", "RELEVE_DEBUG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGUAGE", "")
    monkeypatch.setenv("LANG", "C.UTF-8")

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return int(code), said.out, said.err

    return call


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Settings], int | None]], str]:
    """`command(does)`: add a command to the table for this test and return its name."""

    def add(does: Callable[[Settings], int | None]) -> str:
        module = sys.modules[__name__]
        monkeypatch.setattr(module, "added", click.command()(pass_settings(does)), raising=False)
        monkeypatch.setitem(sys.modules, "added_for_a_test", module)
        monkeypatch.setitem(COMMANDS, "added", ("added_for_a_test:added", "for a test"))
        return "added"

    return add


def test_help_lists_every_command_in_the_order_of_the_table(releve):
    code, out, err = releve("--help")
    assert (code, err) == (0, "")
    listed = [
        line.split()[0] for line in out.split("Commands:")[1].splitlines() if line.startswith("  ") and line[2] != " "
    ]
    assert listed == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_table_is_there(name):
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(module), attribute)
    assert isinstance(found, click.Command)
    assert found.help


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"RELEVE_LANG": "fr", "LANG": "en_GB.UTF-8"}, "fr"),
        ({"LANG": "fr_CM.UTF-8"}, "fr"),
        ({"LC_ALL": "en_GB.UTF-8", "LANG": "fr_FR.UTF-8"}, "en"),
        ({"LC_MESSAGES": "fr_FR.UTF-8", "LANG": "en_GB.UTF-8"}, "fr"),
        ({"LANGUAGE": "fr:en", "LANG": "en_GB.UTF-8"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": ""}, "en"),
    ],
)
def test_help_speaks_the_language_of_the_environment(releve, monkeypatch, environment, language):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert releve("--help")[0] == 0
    assert spoken() == language


def test_the_option_goes_before_the_environment_and_an_unknown_language_is_refused(releve, monkeypatch):
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    releve("--lang", "fr", "--help")
    assert spoken() == "fr"
    code, _out, err = releve("--lang", "de", "--help")
    assert code == ExitCode.CANNOT
    assert "de" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--lang", "fr", "--help"),
        ("--help", "--lang=fr"),
        ("--lang", "fr", "probe", "run", "--help"),
        ("--lang", "fr", "history", "--help"),
        ("--lang", "fr", "incident", "--help"),
        ("--lang", "fr", "--data"),
    ],
)
def test_help_and_usage_errors_are_all_in_the_language_that_the_command_line_asks_for(releve, arguments):
    _code, out, err = releve(*arguments)
    english = (
        "Options:",
        "Commands",
        "COMMAND ",
        "Usage",
        "Error",
        "watches",
        "FILE",
        "TEXT",
        "METRIC",
        "ADDRESS",
    )
    assert not [word for word in english if word in out + err]


def test_an_error_is_told_in_the_language_and_the_time_of_the_site(releve, command, tmp_path):
    def fail(_settings: Settings) -> int:
        raise Failure(say("disk {name} holds {size}", name=datetime(2026, 1, 1, tzinfo=UTC), size=Quantity(1.5, "By")))

    site = tmp_path / "inventory.yaml"
    site.write_text("site: {name: Essai, timezone: Africa/Douala, language: fr}\nzut: 1\n", encoding="utf-8")
    _code, _out, err = releve("--inventory", str(site), command(fail))
    assert err.startswith("Erreur")
    assert "01 h 00" in err.replace("\N{NO-BREAK SPACE}", " ")


def test_help_that_was_marked_is_translated_and_the_command_itself_stays_as_it_was():
    @click.group(help="Say every problem of the inventory.")
    @click.option("--json", help="Answer in JSON.")
    def group() -> None: ...

    shown = localized(group)
    assert shown is not group
    assert shown.params[-1] is not group.params[-1]
    assert [parameter.name for parameter in shown.params] == [parameter.name for parameter in group.params]
    assert group.help == "Say every problem of the inventory."


def test_an_unknown_command_suggests_the_nearest(releve):
    code, out, err = releve("chekc")
    assert (code, out) == (ExitCode.CANNOT, "")
    assert "check" in err


def test_a_wrong_option_is_a_usage_error(releve):
    code, out, err = releve("--inventry", "x")
    assert (code, out) == (ExitCode.CANNOT, "")
    assert "--inventory" in err


def test_the_global_options_reach_the_command(releve, command, tmp_path, monkeypatch):
    given: list[Settings] = []
    name = command(given.append)
    releve("--inventory", "a.yaml", "--data", str(tmp_path), "--lang", "fr", name)
    monkeypatch.setenv("RELEVE_INVENTORY", "b.yaml")
    monkeypatch.setenv("RELEVE_DATA", str(tmp_path / "d"))
    releve(name)
    monkeypatch.delenv("RELEVE_INVENTORY")
    monkeypatch.delenv("RELEVE_DATA")
    releve(name)
    assert given == [
        Settings(Path("a.yaml"), tmp_path, "fr"),
        Settings(Path("b.yaml"), tmp_path / "d", None),
        Settings(Path("inventory.yaml"), state_folder(), None),
    ]


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (ExitCode.WRONG, 1), (3, 3)])
def test_what_a_command_returns_is_the_exit_code(releve, command, returned, code):
    assert releve(command(lambda _settings: returned))[0] == code


def test_a_failure_is_told_on_stderr_in_the_readers_language(releve, command):
    def fail(_settings: Settings) -> int:
        raise Failure(say("disk {name} holds {size}", name="D:", size=Quantity(3.8e9, "By")))

    name = command(fail)
    code, out, err = releve("--lang", "en", name)
    assert (code, out, err) == (ExitCode.CANNOT, "", "Error: disk D: holds 3.8\N{NO-BREAK SPACE}GB\n")
    assert "3,8\N{NO-BREAK SPACE}Go" in releve("--lang", "fr", name)[2]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/var/lib/releve"), "/var/lib/releve: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_nothing_that_goes_wrong_is_shown_as_a_traceback(releve, command, error, said):
    def fail(_settings: Settings) -> int:
        raise error

    code, out, err = releve("--lang", "en", command(fail))
    assert (code, out) == (ExitCode.CANNOT, "")
    assert said in err
    assert "Traceback" not in err


def test_a_developer_may_ask_for_the_traceback(releve, command, monkeypatch):
    def fail(_settings: Settings) -> int:
        raise ZeroDivisionError

    name = command(fail)
    monkeypatch.setenv("RELEVE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        releve(name)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, EOFError, click.Abort])
def test_an_interruption_is_quiet(releve, command, interruption):
    def interrupted(_settings: Settings) -> int:
        raise interruption

    assert releve(command(interrupted)) == (ExitCode.INTERRUPTED, "", "")


def environment() -> dict[str, str]:
    return {**os.environ, "RELEVE_LANG": "en"}


def test_a_reader_that_leaves_ends_the_command_quietly(project):
    """`releve schema | head -0`: the pipe is closed before the first byte is written."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "monitor", "probe", "list", "--json"],
            stdout=write, stderr=subprocess.PIPE, check=False, cwd=project, env=environment(),
        )  # fmt: skip
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (ExitCode.BROKEN_PIPE, b"")


def test_control_c_during_a_check_ends_it_quietly(project):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        keys = ["--param", "count=100", "--param", "interval=1s", "--param", f"port={port}", "--timeout", "120s"]
        with subprocess.Popen(
            [sys.executable, "-m", "monitor", "probe", "run", "ping", "127.0.0.1", *keys],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=project, env=environment(),
        ) as running:  # fmt: skip
            server.accept()[0].close()  # the probe is at work
            running.send_signal(signal.SIGINT)
            said = running.communicate(timeout=60)
    assert (running.returncode, *said) == (ExitCode.INTERRUPTED, b"", b"")


def test_the_version_is_told(releve):
    code, out, _err = releve("--version")
    assert code == 0
    assert out.startswith("releve, ")


def test_completion_offers_the_commands_without_importing_one(project):
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from monitor.cli import main; main()"],
        env={**environment(), "_RELEVE_COMPLETE": "bash_complete", "COMP_WORDS": "releve va", "COMP_CWORD": "1"},
        capture_output=True, text=True, check=False, cwd=project,
    )  # fmt: skip
    assert "validate" in done.stdout
    assert json.dumps(done.stderr) == '""'


def test_who_has_no_home_can_ask_everything_that_needs_none(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)  # nobody's
    assert state_folder() == Path("/var/lib/releve")
    monkeypatch.setenv("XDG_STATE_HOME", "/srv")
    assert state_folder() == Path("/srv/releve")


@pytest.mark.parametrize("alphabet", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_another_alphabet_is_answered(project, alphabet):
    asked = [sys.executable, "-m", "monitor", "--lang", "fr", "--help"]
    done = subprocess.run(
        asked, capture_output=True, check=False, cwd=project, env={**environment(), "PYTHONIOENCODING": alphabet}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"restore" in done.stdout


@pytest.mark.parametrize(
    ("words", "redirected", "code"),
    [
        (["--help"], ">&-", ExitCode.DONE),
        (["probe", "list"], ">&-", ExitCode.DONE),
        (["nonsense"], "2>&-", ExitCode.CANNOT),
        (["--help"], ">/dev/full", ExitCode.CANNOT),
        (["probe", "list"], ">/dev/full", ExitCode.CANNOT),
    ],
)
def test_where_nobody_listens_there_is_still_no_traceback(project, words, redirected, code):
    line = f'exec "$0" -m monitor "$@" {redirected}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, *words],
        capture_output=True,
        check=False,
        cwd=project,
        env=environment(),
    )
    assert done.returncode == code
    assert b"Traceback" not in done.stdout + done.stderr
