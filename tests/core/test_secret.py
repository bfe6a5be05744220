"""A secret is read where it lies, at the moment of use, and printed by nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.core.text import ENGLISH
from monitor.secret import MAX_BYTES, Secret, Unresolved


def why(secret: Secret) -> str:
    with pytest.raises(Unresolved) as caught:
        secret.reveal()
    return ENGLISH.render(caught.value.text)


def test_a_reference_is_read_each_time_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    path.write_text("one\r\n", encoding="utf-8")
    secret = Secret(f"file:{path}")
    assert secret.reveal() == "one"
    path.write_text("two\n", encoding="utf-8")
    assert secret.reveal() == "two"
    monkeypatch.setenv("RELEVE_TEST_SECRET", "three")
    assert Secret("env:RELEVE_TEST_SECRET").reveal() == "three"
    assert Secret("in clear").reveal() == "in clear"


def test_only_a_reference_is_printed() -> None:
    assert (repr(Secret("hunter2")), str(Secret("hunter2")), f"{Secret('hunter2')}") == ("Secret(***)",) * 3
    assert str(Secret("env:NAME")) == "Secret('env:NAME')"


def test_a_reference_that_leads_nowhere_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELEVE_TEST_SECRET", raising=False)
    assert why(Secret("env:RELEVE_TEST_SECRET")) == "environment variable RELEVE_TEST_SECRET is not set"
    assert "No such file or directory" in why(Secret(f"file:{tmp_path / 'none'}"))
    assert "No such file or directory" in why(Secret("file:~nobody-of-that-name/x"))
    assert "null byte" in why(Secret("file:a\0b"))
    assert "irectory" in why(Secret(f"file:{tmp_path}"))
    large = tmp_path / "large"
    large.write_bytes(b"x" * (MAX_BYTES + 1))
    assert "too large" in why(Secret(f"file:{large}"))


def test_a_pipe_that_nobody_writes_to_stops_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert why(Secret(f"file:{tmp_path / 'pipe'}")) == f"{tmp_path / 'pipe'} is not a plain file"
