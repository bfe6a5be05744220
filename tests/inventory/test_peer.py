"""Relève's own state at the other site: `peer:` of the inventory."""

from datetime import timedelta

import pytest

from monitor.inventory.model import Peer
from monitor.secret import Secret

SITE = """\
site: {name: Petit site}
contacts: {admin: {name: Admin, sms: "+237600000000"}}
channels: {sms: {url: "gammu:/var/spool/gammu"}}
operations: {to: [admin]}
"""
SITES = """\
sites:
  centre: {title: Douala, here: true, releve: "https://198.18.1.5:8322"}
  secours: {title: Yaoundé, releve: "https://198.18.3.5:8322"}
  temoin: {title: Témoin, witness: true}
"""
KEYS = "ca: file:ca.pem, cert: file:cert.pem, key: file:key.pem"


def test_without_it_there_is_no_other_releve(read):
    for text in (SITE, SITE + "peer:\n", SITE + SITES):
        assert read(text).inventory.peer is None


def test_both_know_each_other_by_certificates_in_files(read, tmp_path):
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text("x")
    loaded = read(SITE + SITES + f"peer: {{{KEYS}, warning: 30s}}\n")
    assert loaded.problems == ()
    held = (Secret(f"file:{tmp_path / name}.pem") for name in ("ca", "cert", "key"))
    assert loaded.inventory.peer == Peer(*held, timedelta(seconds=30), timedelta(minutes=5))
    assert set(loaded.inventory.files) == {"inventory.yaml"}


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{}", "9:1 peer: ca is missing"),
        ("{ca: file:ca.pem, cert: file:cert.pem, key: xyz}", "9:51 peer.key: this secret stands here in clear"),
        (f"{{{KEYS}, warning: 6 min}}", "9:74 peer.critical: a lag of 5\u00a0min is critical here before"),
        (f"{{{KEYS}, critical: 60s}}", "9:75 peer.critical: a lag of"),
        (f"{{{KEYS}, critcal: 60s}}", "9:65 peer.critcal: unknown key critcal (did you mean critical?)"),
        ("5", "9:7 peer: "),
    ],
)
def test_what_is_wrong_is_told_at_its_place(read, lines, tmp_path, written, problem):
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text("x")
    loaded = read(f"{SITE}{SITES}peer: {written}\n")
    assert loaded.inventory is None
    assert any(line.startswith(problem) for line in lines(loaded.problems)), lines(loaded.problems)


@pytest.mark.parametrize(
    "sites",
    [
        "",
        SITES.replace(', releve: "https://198.18.3.5:8322"', ""),
        SITES.replace(', releve: "https://198.18.1.5:8322"', ""),
        SITES + '  third: {title: Kribi, releve: "https://198.18.4.5:8322"}\n',
    ],
)
def test_the_state_goes_from_one_site_to_one_other(read, lines, tmp_path, sites):
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text("x")
    loaded = read(f"{SITE}{sites}peer: {{{KEYS}}}\n")
    assert loaded.inventory is None
    (line,) = lines(loaded.problems)
    assert "goes from one site to one other" in line
    assert "write releve: https://HOST:PORT" in line
