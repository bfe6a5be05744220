"""The simulated site, up for one test."""

from collections.abc import AsyncIterator

import pytest

from lab.site import Site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as running:
        yield running
