"""What may be repaired: runbooks of a site's own, recordings, and which service needs which, each mistake located."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.inventory.problems import Level

SSH = "ssh: {user: releve, key: env:HOME, platform: windows}"
SITE = f"""\
site: {{name: X}}
devices:
  hmp: {{address: 10.0.0.1, {SSH}, snmp: {{version: 2c, community: env:HOME}}}}
  archive: {{address: 10.0.0.2, {SSH}}}
  bare: {{address: 10.0.0.3}}
"""
CONTACT = "contacts: {admin: {mail: a@b.cm}}\n"
RECORDINGS = r"""
recordings:
  audio: {device: hmp, folder: 'D:\Audio\', match: "*.wav", archive: {device: archive, folder: /srv/audio}, keep: 3 d}
"""
SERVICES = """
checks:
  sql: {probe: service, device: hmp, via: snmp, name: SQL}
  onnet: {probe: service, device: hmp, via: snmp, name: Onnet, needs: sql}
"""
BOOK = """\
runbook: look
title: {fr: Regarder, en: Look}
budget: {attempts: 2, within: 30 min}
steps:
  - {step: ask, text: "Is somebody in the room?"}
  - {step: notify, to: admin, text: "Look at it"}
"""


def test_recordings_are_read_with_paths_as_sftp_names_them(read, lines):
    loaded = read(SITE + RECORDINGS)
    assert lines(loaded.problems) == []
    found = loaded.inventory.actionable.recordings["audio"]
    assert (found.folder, found.archive_folder, found.match) == ("/D:/Audio", "/srv/audio", ("*.wav",))
    assert (found.keep, found.every, found.rate) == (timedelta(days=3), timedelta(minutes=15), None)
    assert (found.device.name, found.archive.name) == ("hmp", "archive")


def test_a_rate_in_bits_is_one_in_bytes_for_files(read):
    text = SITE + RECORDINGS.replace("keep: 3 d", "rate: 16 Mbit/s")
    assert read(text).inventory.actionable.recordings["audio"].rate == 2e6


ERRORS = {
    "unknown device": (
        RECORDINGS.replace("device: hmp", "device: hpm"),
        "7:19 recordings.audio.device: there is no device hpm (did you mean hmp?)",
    ),
    "device without ssh": (
        RECORDINGS.replace("device: hmp", "device: bare"),
        "7:19 recordings.audio.device: bare has no ssh:, so that no file can be moved (give it under devices.bare)",
    ),
    "archive without ssh": (
        RECORDINGS.replace("device: archive", "device: bare"),
        "7:79 recordings.audio.archive.device: bare has no ssh:, so that no file can be moved "
        "(give it under devices.bare)",
    ),
    "relative folder": (
        RECORDINGS.replace("/srv/audio", "srv"),
        "7:96 recordings.audio.archive.folder: srv is no full path (write it from the root, or from the drive)",
    ),
    "unknown key": (
        RECORDINGS.replace("keep:", "kep:"),
        "7:109 recordings.audio.kep: unknown key kep (did you mean keep?)",
    ),
    "archive inside the recordings": (
        RECORDINGS.replace("device: archive, folder: /srv/audio", r"device: hmp, folder: 'd:\audio\old'"),
        "7:10 recordings.audio: the archive lies in the folder of the recordings, or that in the archive "
        "(an archive is another disk, better another machine)",
    ),
    "needs nothing that there is": (
        SERVICES.replace("needs: sql", "needs: sqll"),
        "8:71 checks.onnet.needs: there is no check sqll (did you mean sql?)",
    ),
    "needs in a ring": (
        SERVICES.replace("name: SQL}", "name: SQL, needs: onnet}"),
        "7:67 checks.sql.needs: each of these needs the next: sql > onnet > sql (take one of them away)",
    ),
    "runbook that is not there": (
        "incidents: {power: {runbook: purge-audoi}}\n",
        "6:30 incidents.power.runbook: there is no runbook purge-audoi (did you mean purge-audio?)",
    ),
    "blind with a runbook": (
        "incidents: {blind: {runbook: purge-audio}}\n",
        "6:21 incidents.blind.runbook: what cannot be seen is never repaired: the kind blind has no runbook "
        "(leave it out)",
    ),
    "automation that says maybe": (
        "automation: {live: maybe}\n",
        "6:20 automation.live: true or false is expected here, not maybe",
    ),
    "runbooks outside": (
        "automation: {runbooks: ../elsewhere}\n",
        "6:24 automation.runbooks: ../elsewhere lies outside the inventory's folder "
        "(keep the runbooks beside or below the inventory)",
    ),
}


@pytest.mark.parametrize(("text", "expected"), ERRORS.values(), ids=ERRORS)
def test_each_mistake_is_told_where_it_stands(read, lines, text, expected):
    assert lines(read(SITE + text.lstrip("\n")).problems) == [expected]


def test_services_start_in_the_order_of_their_needs_whatever_stands_between_them(read, lines):
    text = SITE + SERVICES + (
        "  page: {probe: http, device: hmp, port: 80, needs: [onnet, door]}\n"
        "  door: {probe: tcp, device: hmp, port: 1, needs: sql}\n"
        "  slave: {probe: service, device: hmp, via: snmp, name: Slave, needs: page}\n"
    )  # fmt: skip
    loaded = read(text)
    assert lines(loaded.problems) == []
    orders = {name: check.needs for name, check in loaded.inventory.actionable.checks.items()}
    assert orders == {"sql": (), "onnet": ("sql",), "page": (), "door": (), "slave": ("onnet", "sql")}
    assert loaded.inventory.plan.topology.needs == {
        "onnet": ("sql",), "page": ("onnet", "door"), "door": ("sql",), "slave": ("page",),
    }  # fmt: skip


def test_what_is_left_out_because_of_a_mistake_is_not_missed_once_more(read, lines):
    """Recordings with a mistake are none: that purge-audio has none then is no news."""
    text = SITE + RECORDINGS.replace("keep:", "kep:").lstrip("\n")
    text += "checks: {d: {probe: disk, device: hmp, mount: 'D:', incident: hmp-disk-full}}\n"
    text += "incidents: {hmp-disk-full: {runbook: purge-audio}}\n"
    assert lines(read(text).problems) == ["7:109 recordings.audio.kep: unknown key kep (did you mean keep?)"]


def test_a_runbook_of_the_site_is_read_from_beside_the_inventory(read, lines):
    loaded = read(SITE + CONTACT, **{"runbooks/look.yaml": BOOK})
    assert lines(loaded.problems) == []
    book = loaded.inventory.books["look"]
    assert (book.title("fr"), book.keys.budget.attempts, len(book.steps)) == ("Regarder", 2, 2)
    assert {"purge-audio", "restart-service"} <= set(loaded.inventory.books)


def test_a_runbook_of_the_site_goes_before_one_of_the_library(read):
    own = BOOK.replace("runbook: look", "runbook: purge-audio")
    loaded = read(SITE + CONTACT, **{"runbooks/purge.yaml": own})
    assert loaded.inventory.books["purge-audio"].title("en") == "Look"


BAD_BOOKS = {
    "unknown step": (
        BOOK.replace("step: ask", "step: aks"),
        "look.yaml:5:12 runbook.steps.1.step: there is no step aks (did you mean ask?)",
    ),
    "key that the step has not": (
        BOOK.replace("to: admin", "too: admin"),
        "look.yaml:6:20 runbook.steps.2.too: unknown key too (did you mean to?)",
    ),
    "contact that is not there": (
        BOOK.replace("to: admin", "to: adm"),
        "look.yaml:6:24 runbook.steps.2.to: there is no contact adm (did you mean admin?)",
    ),
    "name that no command could carry": (
        BOOK.replace("runbook: look", 'runbook: "look at it"'),
        "look.yaml:1:1 runbook: 'look at it' is no name (letters, digits, - _ . +, 64 at most)",
    ),
    "no step": (
        BOOK[: BOOK.index("steps:")] + "steps: []\n",
        "look.yaml:4:8 runbook.steps: this must not be empty",
    ),
    "budget without unit": (
        BOOK.replace("within: 30 min", "within: 30"),
        "look.yaml:3:31 runbook.budget.within: '30' has no unit: write 60s, 5 min, 1 h, 3 d",
    ),
    "tab": ("runbook: look\n\ttitle: x\n", None),
}


@pytest.mark.parametrize(("text", "expected"), BAD_BOOKS.values(), ids=BAD_BOOKS)
def test_a_mistake_in_a_runbook_is_told_in_its_own_file(read, lines, text, expected):
    loaded = read(SITE + CONTACT, **{"runbooks/look.yaml": text})
    found = lines(loaded.problems)
    assert found
    assert loaded.inventory is None
    if expected is None:
        assert all(line.startswith("look.yaml:") for line in found)
    else:
        assert found == [expected]


def test_a_runbook_tells_no_client(read, lines):
    people = "contacts: {admin: {mail: a@b.cm}, att: {mail: c@d.cm}}\noperations: {to: [admin]}\n"
    text = SITE + people + "protocol: {first_notice: {to: [att]}, update: {to: [att, admin]}}\n"
    told = lines(read(text, **{"runbooks/look.yaml": BOOK.replace("to: admin", "to: [admin, att]")}).problems)
    assert told == [
        "look.yaml:6:32 runbook.steps.2.to: att reads for the client, whom the protocol alone tells "
        "(name our own people, or leave it out)"
    ]


def test_two_runbooks_of_one_name_are_refused(read, lines):
    loaded = read(SITE + CONTACT, **{"runbooks/a.yaml": BOOK, "runbooks/b.yaml": BOOK})
    (line,) = lines(loaded.problems)
    assert line.startswith("b.yaml:1:1 runbook: the runbook look stands in ")


def test_a_runbook_that_could_do_nothing_about_its_check_is_a_warning_that_says_why(read, lines):
    text = SITE + (
        "checks: {disk: {probe: disk, device: hmp, via: snmp, mount: 'D:', incident: hmp-disk-full}}\n"
        "incidents: {hmp-disk-full: {runbook: purge-audio}}\n"
    )
    (line,) = (one for one in lines(read(text).problems, Level.WARNING) if "purge-audio" in one)
    assert line.startswith("7:38 incidents.hmp-disk-full.runbook: purge-audio can do nothing about disk: ")


def test_without_a_word_about_it_releve_only_says_what_it_would_do(read):
    assert not read(SITE).inventory.automation.live
    assert read(SITE + "automation: {live: true}\n").inventory.automation.live


MIRROR = """
recordings:
  conf: {device: hmp, folder: 'D:\\Conf', archive: {device: archive, folder: /srv/conf}, mirror: true%s}
"""


def test_a_folder_may_be_mirrored_instead(read, lines):
    loaded = read(SITE + MIRROR % ", closed_after: 5s, every: 1 min")
    assert lines(loaded.problems) == []
    assert loaded.inventory.actionable.recordings["conf"].mirror
    assert not read(SITE + RECORDINGS).inventory.actionable.recordings["audio"].mirror


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (", keep: 3 d", "conf.keep: what is mirrored is never deleted, so that keep has no meaning (leave it out)"),
        (
            ", closed_after: 1s",
            "conf.closed_after: 1\u00a0s are too short: a file may change twice within a second "
            "(write at least 2\u00a0s)",
        ),
    ],
)
def test_what_cannot_hold_of_mirrored_files_is_refused(read, lines, keys, problem):
    (line,) = lines(read(SITE + MIRROR % keys).problems)
    assert line.endswith(f" recordings.{problem}")
    assert line.startswith("8:")
