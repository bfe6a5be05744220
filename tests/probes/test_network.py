"""Names, addresses, and network errors in words."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from monitor.core.text import ENGLISH
from probes.contract import ProbeFault, TargetFailure
from probes.network import OURS, literal, reason, resolve, unconnected


@pytest.mark.parametrize(
    ("host", "family"),
    [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("localhost", None)],
)
async def test_an_address_or_a_known_name_resolves(make_io, host, family):
    found = await resolve(host, 80, make_io())
    assert found.sockaddr[:2] == (found.host, 80)
    assert family in (None, found.family)
    assert literal(found.host)


@pytest.mark.parametrize("host", ["nowhere.invalid", "", "a" * 300, "bad\0name", "é" * 70, "300.1.2.3"])
async def test_whatever_does_not_resolve_is_our_trouble_with_a_remedy(make_io, host):
    with pytest.raises(ProbeFault) as raised:
        await resolve(host, 80, make_io())
    assert raised.value.remedy is not None


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_error_has_words_and_says_whose_trouble_it_is(number):
    error = OSError(number, os.strerror(number))
    assert ENGLISH.render(reason(error))
    means = unconnected(80, error)
    assert isinstance(means, ProbeFault if number in OURS else TargetFailure)


def test_an_error_without_a_number_is_told_by_its_name():
    assert ENGLISH.render(reason(OSError())) == "OSError"
