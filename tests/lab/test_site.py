"""The site as a whole: what a fault does to what answers on its ports."""

import asyncio
import shutil
import smtplib
from email.message import EmailMessage

import aiohttp
import pytest

from lab.door import Door, Mute
from lab.power import Plant
from lab.scm import Code
from lab.site import FLOODED, WATCH, Site
from monitor.core.ids import NodeId
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh import Hosts


async def answers(site: Site, name: str) -> bool:
    try:
        async with asyncio.timeout(0.5):
            _, writer = await asyncio.open_connection("127.0.0.1", site.endpoints[name])
    except (ConnectionRefusedError, TimeoutError):
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def until(condition, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_a_cut_link_takes_the_far_side_away_and_only_that(site):
    ports = site.endpoints
    await site.cut_link()
    seen = {name for name in ports if "snmp" not in name and not await answers(site, name)}
    assert seen == {"fo.peer", "ocm-sip.tcp", "ocm-app.http"}
    await site.restore_link()
    assert all([await answers(site, name) for name in sorted(seen)])
    assert site.endpoints == ports


async def test_the_switch_of_the_floor_goes_with_the_mains_and_comes_back_with_the_generator():
    plant = Plant(start_after=0.1, crank=0.1, rest=0.1, warm=0.1, boot=0.3)
    async with Site(plant) as site:
        assert await answers(site, "floor-switch.ping")
        await site.cut_mains()
        assert not site.floor_fed
        assert not await answers(site, "floor-switch.ping")
        assert await answers(site, "hmp.ping")
        await until(lambda: answers(site, "floor-switch.ping"))
        assert site.look().mains_voltage == 0
        assert site.moments["floor_fed"] <= site.now()
        await site.restore_mains()
        assert await answers(site, "floor-switch.ping")


async def test_both_web_pages_are_served_and_a_silenced_one_hangs(site):
    async with aiohttp.ClientSession() as web:
        for name, word in (("hermes.http", "Mot de passe"), ("ocm-app.http", "Application OCM")):
            async with web.get(f"http://127.0.0.1:{site.endpoints[name]}/") as answer:
                assert answer.status == 200
                assert word in await answer.text()
        await site.silence("hermes")
        with pytest.raises(TimeoutError):
            await web.get(f"http://127.0.0.1:{site.endpoints['hermes.http']}/", timeout=aiohttp.ClientTimeout(0.3))


async def test_the_mailbox_keeps_every_message_for_each_recipient(site):
    message = EmailMessage()
    message["Subject"], message["Message-ID"] = "Coupure : liaison", "<one@site>"
    message.set_content("Premier avis é")

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", site.endpoints["smtp"]) as smtp:
            smtp.send_message(message, "releve@example.org", ["att@example.org", "admin@example.org"])

    await asyncio.gather(asyncio.to_thread(send), asyncio.wait_for(site.mailbox.news(0), 5))
    assert [(letter.to, letter.subject, letter.message_id) for letter in site.mailbox.letters] == [
        ("att@example.org", "Coupure : liaison", "<one@site>"),
        ("admin@example.org", "Coupure : liaison", "<one@site>"),
    ]
    assert site.mailbox.letters[0].text.strip() == "Premier avis é"


async def test_who_has_no_management_cannot_fall_silent(site):
    with pytest.raises(ValueError, match="floor-switch"):
        await site.silence("floor-switch")


async def test_a_shut_door_keeps_its_number():
    door = Door(Mute)
    door.open()
    port = door.port
    await door.shut()
    assert not door.is_open
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    door.open()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    await door.remove()


async def test_a_dark_door_answers_nobody_until_it_opens_again():
    door = Door(Mute)
    door.open()
    port = door.port
    await door.darken()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.open_connection("127.0.0.1", port)
    await door.darken()
    door.open()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    await door.darken()
    await door.shut()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await door.remove()


async def test_two_sites_stand_side_by_side():
    async with Site() as one, Site() as two:
        for udp in (True, False):  # the ports of the two protocols are apart
            ports = [
                {port for name, port in site.endpoints.items() if name.endswith(".snmp") is udp} for site in (one, two)
            ]
            assert not ports[0] & ports[1]
        await one.cut_mains()
        assert two.look().mains_voltage > 0


async def test_releve_reaches_both_hosts_by_the_sites_key_and_knows_them_by_their_fingerprints(site):
    hosts = Hosts()
    targets = {
        name: Target(
            NodeId(name),
            "127.0.0.1",
            {
                "ssh": SshAccess(
                    user="releve",
                    key=f"file:{site.key_file}",
                    port=site.endpoints[f"{name}.ssh"],
                    host_key=site.host_keys[f"{name}.ssh"],
                    platform=platform,
                )
            },
        )
        for name, platform in (("hmp", "windows"), ("archive", "linux"))
    }
    try:
        ran = await hosts.run(targets["hmp"], 'sc.exe GetKeyName "SQL Server (MSSQLSERVER)"', within=10)
        assert "Name = MSSQLSERVER" in ran.out
        async with hosts.sftp(targets["hmp"]) as drives, hosts.sftp(targets["archive"]) as archive:
            assert await drives.exists(f"/D:/Enregistrements/{site.recorder.live}")
            async with archive.open("/srv/enregistrements/a.wav", "wb") as file:
                await file.write(b"RIFF")
    finally:
        await hosts.close()
    assert list(site.archive.hashes()) == ["a.wav"]


async def test_the_servers_are_judged_by_what_they_hold(site):
    before = site.servers()
    assert before.starts == {"MSSQLSERVER": 0, "Onnet": 0, "Slave": 0} == before.stops
    assert before.recorded.keys() | {site.recorder.live} == before.present.keys()
    assert before.live_is_whole
    assert not site.recordings_archived
    await site.crash_onnet()
    assert not site.services_run
    await site.start_service("Onnet")
    shutil.copytree(site.recorder.folder, site.archive.folder, dirs_exist_ok=True)
    assert site.recordings_archived
    after = site.servers()
    assert after.starts["Onnet"] == 1
    assert {one.sha256 for one in before.recorded.values()} <= after.archived


async def test_onnet_dies_once_more_and_the_moment_of_its_mending_is_the_last_one(site):
    site.scm.start_takes = 3 * WATCH
    await site.crash_onnet()
    await site.start_service("Onnet")
    await until_it_runs(site)
    async with asyncio.timeout(10):
        while "services_run" not in site.moments or site.services_run:
            await asyncio.sleep(0.02)
    first = site.moments["services_run"]
    async with asyncio.timeout(10):
        while await site.scm.start("Onnet") is not Code.DONE:
            await asyncio.sleep(0.02)
    await until_it_runs(site)
    async with asyncio.timeout(10):
        while site.moments["services_run"] == first:
            await asyncio.sleep(0.02)
    assert site.scm.starts("Onnet") == 2


async def until_it_runs(site: Site) -> None:
    async with asyncio.timeout(10):
        while not site.services_run:
            await asyncio.sleep(0.02)


async def test_a_campaign_floods_the_disk(site):
    assert site.disk_has_room
    await site.flood_recordings()
    async with asyncio.timeout(20):
        while site.view().disk < FLOODED:
            await asyncio.sleep(0.05)
    assert not site.disk_has_room
