"""What the long runs need of pytest beforehand."""

import asyncio

# As in tests/conftest.py: looking for a current loop while none was ever set makes one that nobody closes.
asyncio.set_event_loop(None)
