"""What every test may ask for."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.spreading import spread

PROJECT = Path(__file__).resolve().parent.parent

# A shared two-core machine stalls for longer than any honest deadline: a slow example is no failure, a wrong one is.
settings.register_profile("releve", deadline=None)
settings.load_profile("releve")

# A shell lets what it runs in the background ignore ^C, and so would every command that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest-asyncio looks for a current loop before it sets its own; while none was ever set, looking makes one that
# nobody closes, and some later test fails by the warning.
asyncio.set_event_loop(None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread long tests over the workers, where there are several; after they were shuffled."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = [items[n] for n in spread([item.nodeid.partition("::")[0] for item in items], workers)]


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over what was collected, thousands of tests and all modules: it stays anyway.

    And let it look around less often: otherwise it took an eighth of the time. What it finds still fails a test.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Undo how a command sends its log: its stream is closed by the next test, whose own output would say so."""
    loggers = [logging.getLogger(name) for name in ("", "monitor", "probes", "alerts")]
    kept = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in kept:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recordings of real devices; it is kept outside the project."""
    path = Path(os.environ.get("RELEVE_CORPUS", PROJECT.parent / "shared" / "corpus"))
    if not path.is_dir():
        pytest.skip(f"no corpus at {path}: name its folder in RELEVE_CORPUS")
    return path
