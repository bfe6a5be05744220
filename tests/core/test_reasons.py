"""Why the system refused, in the reader's language."""

import errno
import os
import socket

import pytest

from alerts.language import speech
from monitor.core.reasons import WORDS, reason

FRENCH, ENGLISH = speech("fr"), speech("en")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "x"), "No such file or directory"),
        (ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)), "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_what_the_system_says_can_be_translated(error, words):
    assert words in WORDS
    assert ENGLISH.render(reason(error)) == words
    assert FRENCH.render(reason(error)) not in ("", words)


@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError("{a brace} stays"), "{a brace} stays"), (OSError(), "OSError"), (ValueError("odd"), "odd")],
)
def test_what_nobody_knows_stands_as_it_was_said(error, words):
    assert ENGLISH.render(reason(error)) == words
    assert FRENCH.render(reason(error)) == words
