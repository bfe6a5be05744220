"""Step `archive`: as many as are needed, waits for files to prove closed, and says what is safe when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from runbooks.book import library
from runbooks.contract import Answer, Effect, Outcome, Site, StepFailed, Subject
from runbooks.registry import load

CarryOut = Callable[..., Awaitable[Outcome]]


async def test_everything_closed_is_archived_and_named_in_the_evidence(site: Any, carry_out: CarryOut) -> None:
    for n in range(5):
        site.write(f"{n}.wav", 100, days=n)
    outcome = await carry_out("archive")
    assert outcome.changed
    assert ENGLISH.render(outcome.text) == "recordings archived and read back: 5, 500\xa0B"
    assert (outcome.evidence["seen"], outcome.evidence["proven"], outcome.evidence["size"]) == (5, 5, 500)
    again = await carry_out("archive")
    assert not again.changed


async def test_only_as_many_old_ones_are_archived_as_the_purge_will_need(site: Any, carry_out: CarryOut) -> None:
    for n in range(20):
        site.write(f"{n:02}.wav", 10_000, days=30 - n)
    site.capacity = 210_000  # 200 000 in use are 95.2 %; 42 500 must go to come down to 75 %
    outcome = await carry_out("archive", until="75%")
    assert outcome.evidence["proven"] == 5
    assert site.proven() == {f"{n:02}.wav" for n in range(5)}
    again = await carry_out("archive", until="75%")
    assert not again.changed
    assert ENGLISH.render(again.text) == "enough recordings are archived already"


async def test_what_is_too_young_to_be_deleted_is_not_archived_for_a_purge(site: Any, carry_out: CarryOut) -> None:
    site.write("old.wav", 1000, days=8)
    site.write("young.wav", 1000, days=6)
    site.capacity = 2000
    await carry_out("archive", until="10%")
    assert site.proven() == {"old.wav"}


async def test_no_more_files_than_the_limit(site: Any, carry_out: CarryOut) -> None:
    for n in range(9):
        site.write(f"{n}.wav", 10, days=30 - n)
    await carry_out("archive", limit=4)
    assert site.proven() == {f"{n}.wav" for n in range(4)}


async def test_it_waits_until_a_second_look_shows_them_closed(site: Any, carry_out: CarryOut) -> None:
    site.change(closed_after=timedelta(seconds=0.5))
    site.write("rests.wav", 1000, days=9)
    live = site.write("live.wav", 1000, days=8)
    site.capacity = 2000

    def grow(request: str, path: str) -> None:
        if request == "list":
            with live.open("ab") as file:
                file.write(b"more")

    site.voice.faults.before = grow
    outcome = await carry_out("archive", until="1%")
    assert site.proven() == {"rests.wav"}
    assert outcome.evidence["proven"] == 1
    assert site.progress[0].total is None
    assert len(site.voice.faults.names("list")) == 2


async def test_it_does_not_wait_for_what_was_written_a_moment_ago(site: Any, carry_out: CarryOut) -> None:
    site.change(closed_after=timedelta(hours=1))
    site.write("new.wav", 1000, days=0)
    outcome = await carry_out("archive")
    assert not outcome.changed
    assert len(site.voice.faults.names("list")) == 1


async def test_the_emergency_stop_ends_the_wait(site: Any, carry_out: CarryOut) -> None:
    site.change(closed_after=timedelta(hours=1))
    site.write("old.wav")
    running = asyncio.ensure_future(carry_out("archive"))
    while not site.progress:
        await asyncio.sleep(0.01)
    site.halted = True
    assert not (await running).changed


async def test_it_waits_for_a_round_of_the_schedule_to_end(site: Any, carry_out: CarryOut) -> None:
    site.write("old.wav")
    with site.ledger.holding(f"keeper:{site.archive}"):
        running = asyncio.ensure_future(carry_out("archive"))
        await asyncio.sleep(0.1)
        assert not running.done()
        assert site.voice.faults.requests == []
    assert (await running).changed


@pytest.mark.parametrize("fault", ["flip", "refuse"])
async def test_a_failure_names_the_file_and_says_how_many_are_safe(site: Any, carry_out: CarryOut, fault: str) -> None:
    for n in range(5):
        site.write(f"{n}.wav", 2000, days=20 - n)
    getattr(site.keeper.faults, fault).add("2.wav")
    with pytest.raises(StepFailed) as failed:
        await carry_out("archive")
    words = ENGLISH.render(failed.value.text)
    assert words.startswith("2.wav could not be archived: ")
    assert words.endswith("recordings archived and safe: 4, 8\xa0kB; nothing was deleted")
    assert failed.value.evidence["failed"] == ["2.wav"]
    assert site.proven() == {"0.wav", "1.wav", "3.wav", "4.wav"}
    assert len(site.left()) == 5


async def test_one_failure_does_not_matter_when_enough_is_archived_for_the_purge(
    site: Any, carry_out: CarryOut
) -> None:
    for n in range(10):
        site.write(f"{n}.wav", 1000, days=20 - n)
    site.capacity, site.keeper.faults.flip = 10_000, {"1.wav"}
    outcome = await carry_out("archive", until="60%")
    assert outcome.evidence["failures"] == 1
    assert outcome.evidence["proven"] == 4
    assert "1.wav" not in site.proven()


async def test_a_full_archive_is_told_with_what_is_safe(site: Any, carry_out: CarryOut) -> None:
    for n in range(5):
        site.write(f"{n}.wav", 2000, days=20 - n)
    site.keeper.faults.free = lambda: 5000 - site.keeper.faults.written
    with pytest.raises(StepFailed) as failed:
        await carry_out("archive")
    words = ENGLISH.render(failed.value.text)
    assert "is full: 1\xa0kB are free" in words
    assert "recordings archived and safe: 2" in words


async def test_a_link_cut_half_way_fails_and_is_taken_up_again(site: Any, carry_out: CarryOut) -> None:
    for n in range(8):
        site.write(f"{n}.wav", 50_000, days=20 - n)
    site.relay(site.keeper, 300_000)
    with pytest.raises(StepFailed) as failed:
        await carry_out("archive")
    safe = len(site.proven())
    assert failed.value.evidence["proven"] == safe
    site.straight()
    assert (await carry_out("archive")).evidence["proven"] == 8 - safe
    assert len(site.proven()) == 8


def test_the_plan_asks_nobody_and_names_both_ends(site: Any) -> None:
    step = load("archive")
    (action,) = step.actions(step.Params.model_validate({"until": "75%"}), site.subject)
    assert (action.effect, action.target) == (Effect.CHANGES, NodeId("keeper"))
    assert action.params == {"until": "75%", "recordings": "audio"}
    words = ENGLISH.render(action.said)
    assert str(site.source) in words
    assert str(site.archive) in words
    assert site.looks == []


@pytest.mark.parametrize("kind", ["archive", "purge"])
def test_without_recordings_the_inventory_s_missing_lines_are_named(site: Any, kind: str) -> None:
    step, subject = load(kind), site.subject
    bare = Subject(subject.check, replace(subject.site, recordings={}))
    with pytest.raises(StepFailed, match="no recordings") as failed:
        step.actions(step.Params.model_validate({}), bare)
    assert failed.value.remedy is not None
    assert "audio: {device: hmp, folder: ..." in ENGLISH.render(failed.value.remedy)


@pytest.mark.parametrize(("kind", "params"), [("archive", {"until": "75%"}), ("purge", {})])
def test_a_share_of_a_disk_needs_a_check_of_a_disk(site: Any, kind: str, params: dict[str, str]) -> None:
    own = replace(site.subject.own, id=CheckId("onnet"), probe="service")
    subject = Subject(own.id, Site({own.id: own}, {}, site.subject.site.recordings))
    step = load(kind)
    with pytest.raises(StepFailed, match="not of a disk"):
        step.actions(step.Params.model_validate(params), subject)


@pytest.mark.parametrize("kind", ["archive", "purge"])
def test_each_folder_of_the_device_has_an_action_of_its_own(site: Any, kind: str) -> None:
    audio = site.recordings
    both = {"video": replace(audio, id="video", folder="/v"), "audio": audio}
    others = {"far": replace(audio, id="far", device=site.keeper.target())}
    subject = Subject(site.subject.check, replace(site.subject.site, recordings=both | others))
    step = load(kind)
    actions = step.actions(step.Params.model_validate({}), subject)
    assert [action.params["recordings"] for action in actions] == ["audio", "video"]
    (only,) = step.actions(step.Params.model_validate({"recordings": "video"}), subject)
    assert only.params["recordings"] == "video"


@pytest.mark.parametrize("kind", ["archive", "purge"])
async def test_an_intent_without_outcome_may_be_repeated(site: Any, kind: str) -> None:
    step = load(kind)
    params = step.Params.model_validate({})
    assert await site.do(lambda io: step.done(params, {}, site.subject, io)) is Answer.NO


def test_the_runbook_purges_archives_and_purges(site: Any) -> None:
    book = library()["purge-audio"]
    assert [action.step for action in book.plan(site.subject)] == ["purge", "archive", "purge"]
    assert book.title("fr") == "Purger les enregistrements archivés"
    assert {action.effect for action in book.plan(site.subject)} == {Effect.CHANGES}
