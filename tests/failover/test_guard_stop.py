"""Commands that stop things: real ones, on real processes."""

from __future__ import annotations

import sys
import time

import psutil
import pytest

from failover.guard import Command, Round, Target
from failover.guard_stop import SAID, Mode, Stopping, carry_out

GONE = Command(("/bin/true",), 20.0)
RUNS = Command(("/bin/false",), 20.0)


def python(code: str, *arguments: object, within: float = 20.0) -> Command:
    return Command((sys.executable, "-c", code, *map(str, arguments)), within)


def note(path, word: str, then: str = "") -> Command:
    """A command that leaves a word behind."""
    return python(f"import sys; open(sys.argv[1], 'a').write({word!r} + ' ')\n{then}", path)


def over(stopping: Stopping) -> Stopping:
    until = time.monotonic() + 60
    while stopping.done is Round.IN_HAND and time.monotonic() < until:
        time.sleep(0.01)
    return stopping


def test_a_command_is_told_the_token_and_reads_nothing(tmp_path):
    path = tmp_path / "seen"
    code = "import os, sys; open(sys.argv[1], 'w').write(os.environ['RELEVE_TOKEN'] + repr(sys.stdin.read()))"
    assert carry_out(python(code, path), 7).code == 0
    assert path.read_text() == "7''"


def test_no_shell_reads_a_command(tmp_path):
    ended = carry_out(Command(("/bin/echo", "$HOME; false | *"), 20.0), 1)
    assert (ended.code, ended.said) == (0, "$HOME; false | *")


def test_a_command_that_does_not_end_is_killed_with_all_that_it_began(tmp_path):
    path = tmp_path / "child"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(sys.argv[1], 'w').write(str(child.pid)); print('waiting', flush=True); time.sleep(600)"
    )
    ended = carry_out(python(code, path, within=3.0), 1)
    assert ended.code is None
    assert ended.said.startswith(f"{sys.executable}: killed after 3 s")
    child = int(path.read_text())
    until = time.monotonic() + 20
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_a_command_leaves_behind_with_our_ears_is_not_waited_for():
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(40)'])"
    began = time.monotonic()
    assert carry_out(python(code), 1).code == 0
    assert time.monotonic() - began < 35


def test_a_program_that_is_not_there_is_told():
    ended = carry_out(Command(("/nowhere/stop",), 1.0), 1)
    assert ended.code is None
    assert "No such file" in ended.said


def test_last_words_are_short_and_hold_no_control_characters():
    ended = carry_out(python(r"import sys; sys.stdout.write('\x1b[2J' + 'a\n' * 5000); sys.exit(3)"), 1)
    assert ended.code == 3
    assert len(ended.said) <= SAID
    assert ended.said.isprintable()


@pytest.mark.parametrize(
    ("mode", "stopped_by", "carried_out"),
    [
        pytest.param(Mode.FIRST, "in-order", "in-order ", id="the ordered stop is enough"),
        pytest.param(Mode.FIRST, "force-2", "in-order force-1 force-2 ", id="force, one after the other"),
        pytest.param(Mode.AGAIN, "force-1", "force-1 ", id="again: by force at once"),
        pytest.param(Mode.FIRST, "never", "in-order force-1 force-2 ", id="nothing helps"),
        pytest.param(Mode.LOOK, "force-1", "", id="a look carries nothing out"),
    ],
)
def test_force_comes_only_after_order_and_a_look_after_each(tmp_path, mode, stopped_by, carried_out):
    path = tmp_path / "notes"
    path.touch()
    check = python("import sys; sys.exit(sys.argv[2] not in open(sys.argv[1]).read())", path, stopped_by)
    target = Target("dialler", note(path, "in-order"), (note(path, "force-1"), note(path, "force-2")), check)
    (outcome,) = over(Stopping((target,), 1, mode)).outcomes
    assert path.read_text() == carried_out
    assert outcome.proven is (stopped_by in carried_out)


def test_what_already_stands_still_is_left_alone_when_it_is_looked_at_again(tmp_path):
    target = Target("dialler", note(tmp_path / "a", "x"), (note(tmp_path / "b", "x"),), GONE)
    assert over(Stopping((target,), 1, Mode.AGAIN)).done is Round.PROVEN
    assert list(tmp_path.iterdir()) == []


def test_a_check_that_fails_proves_nothing():
    """A login that did not get through ends with 255: that is not the code that means stopped."""
    target = Target("dialler", GONE, (GONE,), Command(("/bin/sh", "-c", "exit 255"), 20.0, exits=1))
    stopping = over(Stopping((target,), 1, Mode.FIRST))
    assert stopping.done is Round.UNPROVEN


def test_targets_are_stopped_side_by_side_and_a_round_is_over_with_the_last(tmp_path):
    """Each waits for a word of the other: one after the other they would never end."""
    wait = "import os, sys, time\nwhile not os.path.exists(sys.argv[2]): time.sleep(0.01)"
    meet = [
        python(f"import sys; open(sys.argv[1], 'w').close()\n{wait}", tmp_path / mine, tmp_path / other, within=60.0)
        for mine, other in (("a", "b"), ("b", "a"))
    ]
    targets = tuple(Target(f"t{n}", command, (RUNS,), GONE) for n, command in enumerate(meet))
    stopping = over(Stopping(targets, 1, Mode.FIRST))
    assert stopping.done is Round.PROVEN
    assert [one.target for one in stopping.outcomes] == ["t0", "t1"]


def test_one_that_is_not_stopped_spoils_the_proof_and_is_named():
    bad = Target("writer", Command(("/nowhere/stop",), 1.0), (RUNS,), RUNS)
    stopping = over(Stopping((Target("dialler", GONE, (RUNS,), GONE), bad), 1, Mode.FIRST))
    assert stopping.done is Round.UNPROVEN
    assert [(one.target, one.proven, "/nowhere/stop" in one.said) for one in stopping.outcomes] == [
        ("dialler", True, False),
        ("writer", False, True),
    ]
