"""The threads that all checks share: one that outlives its observation is counted, for it is lacking to the others."""

import asyncio
import threading

from probes.sessions import Sessions

PATIENCE = 10


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def test_threads_that_go_on_after_their_deadline_are_counted_as_hung():
    free, now = threading.Event(), asyncio.get_running_loop().time()
    async with Sessions(threads=2) as sessions:
        try:
            works = [sessions.submit(now + wait, free.wait) for wait in (5, 50, 5)]
            await until(lambda: works[0].running() and works[1].running())
            counted = [sessions.hung(now + later) for later in (1, 5, 6, 51)]
        finally:
            free.set()
        await asyncio.gather(*(asyncio.wrap_future(work) for work in works))
        assert counted == [0, 0, 1, 2], "one that waits for a thread hangs in none"
        assert sessions.hung(now + 99) == 0
        assert sessions.workers == 2
