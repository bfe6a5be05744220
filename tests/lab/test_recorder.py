"""The recorder: weeks of recordings, one that grows, and a disk that follows what lies in the folder."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from hashlib import sha256

import pytest

from lab.recorder import AT_REST, CAPACITY, OLD, RECENT, Recorder
from monitor.clock import SystemClock

WEEK = timedelta(days=7)


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    running = Recorder(SystemClock())
    running.start()
    yield running
    await running.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def test_it_begins_with_weeks_of_recordings_and_one_that_is_being_written(recorder):
    now = SystemClock().now()
    ages = [now - one.written_at for one in recorder.closed.values()]
    assert (sum(age > WEEK for age in ages), sum(age < WEEK for age in ages)) == (OLD, RECENT)
    assert max(ages) < 6 * WEEK
    assert recorder.present().keys() == {*recorder.closed, recorder.live}
    for one in recorder.closed.values():
        path = recorder.folder / one.name
        assert sha256(path.read_bytes()).hexdigest() == one.sha256
        assert path.stat().st_mtime == int(one.written_at.timestamp())
    assert recorder.share == pytest.approx(AT_REST)
    assert sum(path.stat().st_size for path in recorder.folder.rglob("*.wav")) < CAPACITY / 2


async def test_each_lies_in_the_folder_of_its_day(recorder):
    for one in recorder.closed.values():
        assert one.name.startswith(f"{one.written_at:%Y-%m-%d}/{one.written_at:%H%M%S}-")


async def test_old_recordings_alone_hold_enough_to_make_room_after_a_campaign(recorder):
    now = SystemClock().now()
    old = sum(one.size for one in recorder.closed.values() if now - one.written_at > WEEK)
    assert 25 < 100 * old / CAPACITY < 35


async def test_the_one_that_is_being_written_grows_and_is_whole(recorder):
    path = recorder.folder / recorder.live
    first = path.stat()
    await until(lambda: path.stat().st_size > first.st_size + 300)
    assert recorder.live_is_whole
    assert recorder.live not in recorder.closed
    path.write_bytes(path.read_bytes()[:-1])
    assert not recorder.live_is_whole
    path.unlink()
    assert not recorder.live_is_whole


async def test_new_ones_appear_beside_it(recorder):
    known = set(recorder.closed)
    await until(lambda: bool(recorder.closed.keys() - known))
    (name, *_) = recorder.closed.keys() - known
    assert (recorder.folder / name).stat().st_size == recorder.closed[name].size


async def test_a_campaign_fills_the_disk_and_then_stops(recorder):
    known = set(recorder.closed)
    recorder.flood(93)
    await until(lambda: recorder.share >= 93)
    after = recorder.share
    assert after < 97
    assert recorder.closed.keys() - known
    count = len(recorder.closed)
    await until(lambda: len(recorder.closed) > count)
    assert recorder.share < after + 1


async def test_the_disk_follows_the_folder(recorder):
    recorder.fill(90)
    assert recorder.share == pytest.approx(90)
    one = max(recorder.closed.values(), key=lambda recording: recording.size)
    (recorder.folder / one.name).unlink()
    assert recorder.share == pytest.approx(90 - 100 * one.size / CAPACITY)
    assert recorder.closed[one.name] == one
    assert one.name not in recorder.present()


async def test_a_recording_has_the_head_of_a_wav_file_of_its_size(recorder):
    one = next(iter(recorder.closed.values()))
    content = (recorder.folder / one.name).read_bytes()
    assert content[:4] == b"RIFF"
    assert int.from_bytes(content[4:8], "little") == one.size - 8
    assert int.from_bytes(content[40:44], "little") == one.size - 44
    # A-law, which the standard library knows by its number only.
    with pytest.raises(wave.Error, match="unknown format: 6"), wave.open(io.BytesIO(content)):
        pass


async def test_its_folder_goes_with_it():
    recorder = Recorder(SystemClock())
    with pytest.raises(RuntimeError):
        _ = recorder.folder
    recorder.start()
    root = recorder.root
    await recorder.stop()
    assert not root.exists()
