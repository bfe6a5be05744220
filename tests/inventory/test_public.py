"""`public:` of the inventory: what is taken, what is refused at its place, and titles that name too much."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.inventory.model import Public, PublicBucket
from monitor.inventory.problems import Level
from monitor.secret import Secret

SITE = """\
site: {name: Petit site}
contacts: {admin: {name: Admin, sms: "+237600000000"}}
channels: {sms: {url: "gammu:/var/spool/gammu"}}
operations: {to: [admin]}
devices: {crm-01: {address: 192.0.2.1}}
"""


def test_an_inventory_without_it_has_what_is_usual(read):
    for text in (SITE, SITE + "public:\n", SITE + "public: {}\n"):
        assert read(text).inventory.public == Public()


def test_what_is_written_is_taken(read):
    loaded = read(
        SITE + "public: {title: {fr: Service, en: The service}, every: 10 min, degraded_below: 75%, serve: true}\n"
    )
    assert loaded.problems == ()
    titles = {"fr": "Service", "en": "The service"}
    assert loaded.inventory.public == Public(titles, timedelta(minutes=10), 0.75, serve=True)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("5", "6:9 public: "),
        ("{titel: x}", "6:10 public.titel: unknown key titel (did you mean title?)"),
        ("{every: 0 s}", "6:17 public.every: "),
        ("{degraded_below: 0.9}", "6:26 public.degraded_below: "),
        ("{degraded_below: 101%}", "6:26 public.degraded_below: "),
    ],
)
def test_what_is_wrong_is_told_at_its_place(read, lines, written, problem):
    loaded = read(f"{SITE}public: {written}\n")
    assert loaded.inventory is None
    (line,) = lines(loaded.problems)
    assert line.startswith(problem)


def test_in_a_rehearsal_the_public_reads_only_that_and_validate_says_so(read, lines):
    for live, warned in (("false", 1), ("true", 0)):
        for public, shown in (("serve: true", 1), ("every: 5 min", 0)):
            loaded = read(f"{SITE}protocol: {{live: {live}}}\npublic: {{{public}}}\n")
            found = [line for line in lines(loaded.problems, Level.WARNING) if line.startswith("7:1 public: while the")]
            assert len(found) == warned * shown


HOST = 'web: {address: 192.0.2.9, ssh: {user: www, key: "file:key", host_key: "SHA256:%s"}}' % ("A" * 43)
HOSTED = SITE.replace("devices: {", "devices: {" + HOST + ", ")


def test_it_is_sent_to_the_folder_of_a_host_as_sftp_names_it(read):
    for written, folder in (("/srv/state/", "/srv/state"), ("'D:\\www'", "/D:/www")):
        loaded = read(f"{HOSTED}public: {{push: [{{sftp: {{device: web, folder: {written}}}}}]}}\n", key="")
        assert loaded.problems == ()
        (to,) = loaded.inventory.public.push
        assert (to.device.name, to.folder) == ("web", folder)


BUCKET = "s3: {bucket: etat, key: 'env:K', secret: 'env:S'}"


def test_it_is_sent_into_a_bucket_of_amazon_or_of_another_store(read, monkeypatch):
    monkeypatch.setenv("K", "AKIAOURS")
    monkeypatch.setenv("S", "never-shown")
    loaded = read(f"{SITE}public: {{push: [{{{BUCKET}}}]}}\n")
    assert loaded.problems == ()
    assert loaded.inventory.public.push == (PublicBucket("etat", Secret("env:K"), Secret("env:S")),)
    for url in ("https://s3.example.org", "https://s3.example.org:9000/", "http://127.0.0.1:9000"):
        keys = f"{BUCKET[:-1]}, url: '{url}', folder: /douala/, region: af-south-1}}"
        (to,) = read(f"{SITE}public: {{push: [{{{keys}}}]}}\n").inventory.public.push
        assert (to.endpoint, to.prefix, to.region, to.name) == (url, "douala/", "af-south-1", "s3://etat/douala")


def test_what_refers_to_no_secret_is_warned_of(read, lines, monkeypatch):
    monkeypatch.delenv("K", raising=False)
    monkeypatch.setenv("S", "never-shown")
    loaded = read(f"{SITE}public: {{push: [{{{BUCKET}}}]}}\n")
    (warned,) = lines(loaded.problems, Level.WARNING)
    assert warned.startswith("6:42 public.push.0.s3.key: ")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("[]", "6:16 public.push: "),
        ("[{}]", "6:17 public.push.0: exactly one of these is expected here: sftp, s3"),
        (f"[{{sftp: {{device: web, folder: /x}}, {BUCKET}}}]", "6:17 public.push.0: exactly one of these is expected"),
        ("[{s3: {}}]", "6:18 public.push.0.s3: bucket is missing"),
        ("[{s3: {bucket: B_B, key: 'env:K', secret: 'env:S'}}]", "6:31 public.push.0.s3.bucket: "),
        (
            "[{s3: {bucket: etat, key: 'env:K', secret: hunter2}}]",
            "6:59 public.push.0.s3.secret: this secret stands here in clear",
        ),
        (
            f"[{{{BUCKET[:-1]}, url: 'http://store.example.org'}}}}]",
            "6:73 public.push.0.s3.url: http://store.example.org is no address of a store: https://, without a path",
        ),
        (f"[{{{BUCKET}}}, {{{BUCKET}}}]", "6:70 public.push.1.s3: it is sent there already (leave this one out)"),
        ("[{sftp: {device: web}}]", "6:18 public.push.0.sftp: folder is missing"),
        ("[{sftp: {device: wep, folder: /x}}]", "6:33 public.push.0.sftp.device: there is no device wep"),
        ("[{sftp: {device: crm-01, folder: /x}}]", "6:33 public.push.0.sftp.device: crm-01 has no ssh:"),
        ("[{sftp: {device: web, folder: www}}]", "6:46 public.push.0.sftp.folder: www is no full path"),
        (
            "[{sftp: {device: web, folder: /x}}, {sftp: {device: web, folder: /x/}}]",
            "6:52 public.push.1.sftp: it is sent there already (leave this one out)",
        ),
    ],
)
def test_a_place_that_cannot_be_reached_is_told_at_its_place(read, lines, written, problem):
    loaded = read(f"{HOSTED}public: {{push: {written}}}\n", key="")
    assert loaded.inventory is None
    told = lines(loaded.problems)
    assert any(line.startswith(problem) for line in told), told


def test_a_title_that_names_a_machine_is_warned_of_where_strangers_read_it(read, lines):
    titles = """\
checks: {door: {probe: tcp, device: crm-01, port: 1}}
services: {crm: {title: {fr: Accès à CRM-01, en: access to the CRM}, all: [door]}}
incidents: {odd: {title: see 192.0.2.1}}
"""
    assert lines(read(SITE + titles).problems, Level.WARNING) == []
    warned = lines(read(SITE + titles + "public: {every: 5 min}\n").problems, Level.WARNING)
    said = "this names a machine, an address or a contact; the public reads"
    assert warned == [
        f"7:30 services.crm.title: {said} Accès à […] (choose words that name none)",
        f"8:26 incidents.odd.title: {said} see […] (choose words that name none)",
    ]
