"""A program and its arguments reach a host word by word, whatever they hold."""

from __future__ import annotations

import base64
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.secret import Secret
from probes.access import SshAccess
from probes.contract import Target
from runbooks.commands import LONGEST_LINE, Words, line_of, platform_of
from runbooks.contract import StepFailed

WORD = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30)
FIELD = re.compile(r"\$p\.(FileName|Arguments)='((?:[^'\u2018-\u201b]|['\u2018-\u201b]{2})*)';")


def script_of(line: str) -> str:
    return base64.b64decode(line.rpartition(" ")[2]).decode("utf-16-le")


def fields_of(line: str) -> dict[str, str]:
    return {name: re.sub("(['\u2018-\u201b])\\1", r"\1", text) for name, text in FIELD.findall(script_of(line))}


def as_the_c_runtime_reads(line: str) -> list[str]:
    """CommandLineToArgvW after the program's name: 2n backslashes before a quote are n, 2n+1 are n and the quote."""
    words, word, inside, n = [], None, False, 0
    while n < len(line):
        slashes = len(line[n:]) - len(line[n:].lstrip("\\"))
        n += slashes
        if n < len(line) and line[n] == '"':
            word = (word or "") + "\\" * (slashes // 2)
            if slashes % 2:
                word += '"'
            else:
                inside = not inside
            n += 1
            continue
        if slashes:
            word = (word or "") + "\\" * slashes
            continue
        if line[n] in " \t" and not inside:
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + line[n]
        n += 1
    return words + ([] if word is None else [word])


@given(st.lists(WORD, max_size=5))
def test_sh_hands_every_word_on_as_it_is(words: list[str]):
    line = line_of(["printf", "[%s]\\n", "x", *words], "linux", 7)
    assert line.startswith("env RELEVE_TOKEN=7 printf ")
    assert line_of(["printf", *words], "linux").startswith("printf")


def test_a_real_sh_prints_what_it_was_given():
    words = ["a b", "$HOME", "`id`", "x'y\"z", "*", ";reboot", "&& id", "\\", "", "é"]
    line = line_of(["printf", "[%s]", *words], "linux", 3)
    shell = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True)
    assert shell.stdout.decode() == "".join(f"[{word}]" for word in words)


@given(st.lists(WORD, max_size=4))
def test_windows_hands_every_word_on_as_it_is(words: list[str]):
    line = line_of(["C:\\Outils\\l'été\u2019\\stop.exe", *words], "windows")
    assert len(line) <= LONGEST_LINE
    assert "'" not in line
    fields = fields_of(line)
    assert fields["FileName"] == "C:\\Outils\\l'été\u2019\\stop.exe"
    assert as_the_c_runtime_reads(fields["Arguments"]) == words


def test_windows_gets_the_token_as_a_variable_of_the_program_alone():
    assert "$p.EnvironmentVariables['RELEVE_TOKEN']='41';" in script_of(line_of(["stop.exe"], "windows", 41))
    assert "RELEVE_TOKEN" not in script_of(line_of(["stop.exe"], "windows"))


@pytest.mark.parametrize("program", ["stop.bat", "C:\\x\\STOP.CMD", "stop.bat. ."])
def test_what_cmd_would_read_is_not_handed_to_a_batch_file(program: str):
    line_of([program, "plain-word"], "windows")
    with pytest.raises(StepFailed, match=r"cmd\.exe would read more"):
        line_of([program, "a&calc"], "windows")


def test_a_line_that_windows_would_cut_off_is_refused():
    with pytest.raises(StepFailed, match="too long"):
        line_of(["x.exe", "a" * LONGEST_LINE], "windows")


@pytest.mark.parametrize("words", [[], ["a\nb"], ["stop", "a\x00"], ["-rf"], ["A=1", "x"], [""], " stop", ["x"] * 101])
def test_what_is_no_command_is_refused(words: object):
    with pytest.raises(ValidationError):
        TypeAdapter(Words).validate_python(words)


@pytest.mark.parametrize(
    ("platform", "said"),
    [(None, "which shell"), ("cisco_ios", "no shell that runs commands"), ("linux", ""), ("Windows", "")],
)
def test_a_command_needs_a_platform_with_a_shell(platform: str | None, said: str):
    access = SshAccess.model_validate({"user": "releve", "password": Secret("x"), "platform": platform})
    target = Target(NodeId("hmp"), "192.0.2.1", {"ssh": access})
    if not said:
        assert platform_of(target) == str(platform).casefold()
        return
    with pytest.raises(StepFailed) as caught:
        platform_of(target)
    assert said in ENGLISH.render(caught.value.text)


def test_a_device_elsewhere_without_a_log_in_runs_no_command():
    with pytest.raises(StepFailed, match="no log-in"):
        platform_of(Target(NodeId("hmp"), "192.0.2.1"))
    assert platform_of(Target(NodeId("here"), "127.0.0.1")) == "linux"
