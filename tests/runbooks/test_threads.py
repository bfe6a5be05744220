"""Work that blocks is done in a bounded number of threads, and nobody waits for it for ever."""

from __future__ import annotations

import threading

import pytest

from runbooks.threads import THREADS, NotStarted, blocking


async def test_work_is_done_in_a_thread_and_its_result_or_error_returned():
    assert await blocking(lambda one: (one, threading.current_thread().name[:7]), 3, within=5) == (3, "runbook")
    with pytest.raises(ZeroDivisionError):
        await blocking(lambda: 1 / 0, within=5)


async def test_what_hangs_is_left_behind_and_what_never_began_never_will():
    free, begun = threading.Event(), []

    def hangs(number: int) -> None:
        begun.append(number)
        free.wait(30)

    try:
        for number in range(THREADS):
            with pytest.raises(TimeoutError):
                await blocking(hangs, number, within=0.05)
        with pytest.raises(NotStarted):
            await blocking(hangs, THREADS, within=0.05)
    finally:
        free.set()
    assert await blocking(lambda: "next", within=5) == "next"
    assert sorted(begun) == list(range(THREADS))
