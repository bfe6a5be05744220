"""One bad snippet a rule, with its exact message."""

from __future__ import annotations

import os

import pytest

from monitor.inventory.people_keys import ChannelKeys
from monitor.inventory.problems import Level
from monitor.inventory.yaml_nodes import SECRET_KEYS
from probes.access import WAYS

SITE = "site: {name: X}\n"
ROUTER = "devices: {r: {address: 10.0.0.1, snmp: {version: 2c, community: env:C}}}\n"
LINK = "links: {fo: {technology: FO, device: r, interface: e0, capacity: 4 Mbit/s, peer: p}}\n"

ERRORS = {
    # the site
    "no site": ("checks: {}\n", "1:1 site: site is missing (write site: {name: ..., timezone: Africa/Douala})"),
    "no table": ("site\n", "1:1 file: the file is no table of keys (it starts with a key such as site:)"),
    "empty": ("", "1:1 file: the file is empty (at least site: {name: ...} is needed)"),
    "unknown top-level key": (SITE + "device: {}\n", "2:1 device: unknown key device (did you mean devices?)"),
    "section that is no table": (
        SITE + "devices: [a]\n",
        "2:10 devices: a table of names is expected here (write name: {...})",
    ),
    "site without a name": ("site: {}\n", "1:1 site: name is missing"),
    "mistyped required key": ("site: {nam: X}\n", "1:8 site.nam: unknown key nam (did you mean name?)"),
    "bad time zone": (
        "site: {name: X, timezone: Africa/Doula}\n",
        "1:27 site.timezone: there is no time zone Africa/Doula (did you mean Africa/Douala?)",
    ),
    "time zone without its region": (
        "site: {name: X, timezone: Douala}\n",
        "1:27 site.timezone: there is no time zone Douala (did you mean Africa/Douala?)",
    ),
    "time zone out of a folder": (
        "site: {name: X, timezone: ../../etc/passwd}\n",
        "1:27 site.timezone: there is no time zone ../../etc/passwd (write an IANA name such as Africa/Douala)",
    ),
    "unknown language": ("site: {name: X, language: de}\n", "1:27 site.language: de is none of: fr, en"),
    "text that is a number": (
        "site: {name: 3}\n",
        '1:14 site.name: a text is expected here, not 3 (write it in quotes: "3")',
    ),
    # people
    "contact without address": (
        SITE + "contacts: {a: {name: A}}\n",
        "2:12 contacts.a: nobody can be told by this contact: it has no address (give it mail: or sms:)",
    ),
    "mistyped channel": (
        SITE + "contacts: {a: {mail: a@b.cm, smss: '+237'}}\n",
        "2:30 contacts.a.smss: unknown key smss (did you mean sms?)",
    ),
    "bad mail address": (SITE + "contacts: {a: {mail: a.b}}\n", "2:22 contacts.a.mail: a.b is no mail address"),
    "bad telephone number": (
        SITE + "contacts: {a: {sms: hello}}\n",
        "2:21 contacts.a.sms: hello is no telephone number",
    ),
    "unquoted telephone number": (
        SITE + "contacts: {a: {sms: +237600000000}}\n",
        '2:21 contacts.a.sms: without quotes +237600000000 is a number and loses its + (write "+237600000000")',
    ),
    "telephone number as a number": (
        SITE + "contacts: {a: {sms: 237600000000}}\n",
        '2:21 contacts.a.sms: a text is expected here, not 237600000000 (write it in quotes: "237600000000")',
    ),
    "order without address": (
        SITE + "contacts: {a: {mail: a@b.cm, order: [mail, sms]}}\n",
        "2:44 contacts.a.order: this contact has no address sms (there are: mail)",
    ),
    "reserved contact": (
        SITE + "contacts: {all: {mail: a@b.cm}}\n",
        "2:12 contacts.all: all is reserved: everybody told (choose another name)",
    ),
    "channel through nothing": (
        SITE + "links: {}\nchannels: {mail: {url: env:U, through: fo}}\n",
        "3:40 channels.mail.through: there is no link or device fo",
    ),
    "channel without a kind": (
        SITE + "channels: {mail: {url: localhost}}\n",
        "2:24 channels.mail.url: a channel's URL starts with its kind and a colon"
        " (such as mailto://user:pass@host:port or gammu:/var/spool/gammu)",
    ),
    "operations to nobody": (SITE + "operations: {to: []}\n", "2:18 operations.to: this must not be empty"),
    "operations to a stranger": (
        SITE + "contacts: {admin: {mail: a@b.cm}}\noperations: {to: [amdin]}\n",
        "3:19 operations.to: there is no contact amdin (did you mean admin?)",
    ),
    "empty notice": (
        SITE + "protocol: {first_notice: {to: [], within: 30s}}\n",
        "2:31 protocol.first_notice.to: this must not be empty",
    ),
    "notice to a stranger": (
        SITE + "contacts: {att: {mail: a@b.cm}}\nprotocol: {update: {to: [ocm], every: 60 min}}\n",
        "3:26 protocol.update.to: there is no contact ocm (there are: att)",
    ),
    "all before the end": (
        SITE + "contacts: {att: {mail: a@b.cm}}\nprotocol: {update: {to: [all]}}\n",
        "3:26 protocol.update.to: all means everybody who was told: only resolved can say so (there are: att)",
    ),
    "one name where a list belongs": (
        SITE + "contacts: {att: {mail: a@b.cm}}\noperations: {to: att}\n",
        "3:18 operations.to: a list is expected here, not att (write [att])",
    ),
    "duration without unit": (
        SITE + "contacts: {a: {mail: a@b.cm}}\nprotocol: {update: {to: [a], every: 60}}\n",
        "3:37 protocol.update.every: '60' has no unit: write 60s, 5 min, 1 h, 3 d",
    ),
    "no is no truth value": (
        SITE + "protocol: {live: no}\n",
        "2:18 protocol.live: true or false is expected here, not no (write false)",
    ),
    # things
    "device without address": (SITE + "devices: {a: {role: server}}\n", "2:11 devices.a: address is missing"),
    "device with nothing": (SITE + "devices: {a: }\n", "2:14 devices.a: a table of keys is expected here, not null"),
    "empty address": (SITE + "devices: {a: {address: }}\n", "2:11 devices.a: address is missing"),
    "address with a port": (
        SITE + "devices: {a: {address: '10.0.0.1:161'}}\n",
        "2:24 devices.a.address: 10.0.0.1:161 is no host name and no IP address"
        " (the port belongs to the way or to the check, as in snmp: {port: 161})",
    ),
    "impossible address": (
        SITE + "devices: {a: {address: 10.0.0.300}}\n",
        "2:24 devices.a.address: 10.0.0.300 is no host name and no IP address",
    ),
    "unknown role": (
        SITE + "devices: {a: {address: h, role: roter}}\n",
        "2:33 devices.a.role: roter is none of: router, switch, server, ups, generator (did you mean router?)",
    ),
    "unknown parent": (
        SITE + "devices: {router: {address: h}, b: {address: i, parent: [routr]}}\n",
        "2:58 devices.b.parent: there is no device or link routr (did you mean router?)",
    ),
    "ring of parents": (
        SITE + "devices: {a: {address: h, parent: b}, b: {address: i, parent: a}}\n",
        "2:35 devices.a.parent: each of these stands behind the next: a > b > a (take one parent away)",
    ),
    "own parent": (
        SITE + "devices: {a: {address: h, parent: a}}\n",
        "2:35 devices.a.parent: each of these stands behind the next: a > a (take one parent away)",
    ),
    "ring through a link": (
        SITE + "devices: {a: {address: h, parent: fo}}\n"
        "links: {fo: {technology: FO, device: a, interface: e0, capacity: 4 Mbit/s}}\n",
        "2:35 devices.a.parent: each of these stands behind the next: a > fo > a (take one parent away)",
    ),
    "name that is none": (
        SITE + "devices: {'a b': {address: h}}\n",
        "2:11 devices: 'a b' is no name (letters, digits, - _ . +, 64 at most)",
    ),
    "unknown way": (
        SITE + "devices: {a: {address: h, smnp: {version: 2c}}}\n",
        "2:27 devices.a.smnp: unknown key smnp (did you mean snmp?)",
    ),
    "unknown key of a way": (
        SITE + "devices: {a: {address: h, snmp: {version: 2c, comunity: env:C, community: env:C}}}\n",
        "2:47 devices.a.snmp.comunity: unknown key comunity (did you mean community?)",
    ),
    "version in quotes": (
        SITE + "devices: {a: {address: h, snmp: {version: '3', user: u}}}\n",
        "2:43 devices.a.snmp.version: 3 is none of: 2c, 3 (write it without quotes)",
    ),
    "port in quotes": (
        SITE + "devices: {a: {address: h, snmp: {version: 3, user: u, port: '161'}}}\n",
        "2:61 devices.a.snmp.port: a whole number is expected here, not 161 (write it without quotes)",
    ),
    "impossible port": (
        SITE + "devices: {a: {address: h, snmp: {version: 3, user: u, port: 70000}}}\n",
        "2:61 devices.a.snmp.port: 70000 is too much: at most 65535",
    ),
    "v2c without community": (
        SITE + "devices: {a: {address: h, snmp: {version: 2c}}}\n",
        "2:34 devices.a.snmp: version 2c needs a community",
    ),
    "v3 with a community": (
        SITE + "devices: {a: {address: h, snmp: {version: 3, user: u, community: env:C}}}\n",
        "2:55 devices.a.snmp: a community belongs to version 2c (leave it out)",
    ),
    "v3 without user": (
        SITE + "devices: {a: {address: h, snmp: {version: 3}}}\n",
        "2:34 devices.a.snmp: version 3 needs a user",
    ),
    "encryption without authentication": (
        SITE + "devices: {a: {address: h, snmp: {version: 3, user: u, priv: env:P}}}\n",
        "2:55 devices.a.snmp: there is no encryption without authentication (give auth too (RFC 3414))",
    ),
    "v2c with a user": (
        SITE + "devices: {a: {address: h, snmp: {version: 2c, community: env:C, user: u}}}\n",
        "2:65 devices.a.snmp: user belongs to version 3 (write version: 3, or leave it out)",
    ),
    "ssh without anything to log in with": (
        SITE + "devices: {a: {address: h, ssh: {user: u}}}\n",
        "2:33 devices.a.ssh: there is neither key nor password to log in with",
    ),
    "password in clear": (
        SITE + "devices: {a: {address: h, ssh: {user: u, password: hunter2}}}\n",
        "2:52 devices.a.ssh.password: this secret stands here in clear (write env:NAME or file:PATH)",
    ),
    "SNMPv3 key in clear": (
        SITE + "devices: {a: {address: h, snmp: {version: 3, user: u, auth: hunter22}}}\n",
        "2:61 devices.a.snmp.auth: this secret stands here in clear (write env:NAME or file:PATH)",
    ),
    "secret that is a number": (
        SITE + "devices: {a: {address: h, ssh: {user: u, password: 123456}}}\n",
        "2:52 devices.a.ssh.password: env:NAME or file:PATH is expected here",
    ),
    "reference to no variable": (
        SITE + "devices: {a: {address: h, ssh: {user: u, password: 'env:MY VAR'}}}\n",
        "2:52 devices.a.ssh.password: MY VAR is no name of an environment variable",
    ),
    "unknown register map": (
        SITE + "devices: {a: {address: h, modbus: {profile: dsee}}}\n",
        "2:45 devices.a.modbus.profile: there is no register map dsee (did you mean dse?)",
    ),
    "link of no device": (
        SITE + "links: {fo: {technology: FO, device: r, interface: e0, capacity: 4 Mbit/s}}\n",
        "2:38 links.fo.device: there is no device r",
    ),
    "rate without unit": (
        SITE + ROUTER + "links: {fo: {technology: FO, device: r, interface: e0, capacity: 4}}\n",
        "3:66 links.fo.capacity: '4' has no unit: write 4 Mbit/s, 512 kbit/s",
    ),
    "size where a rate belongs": (
        SITE + ROUTER + "links: {fo: {technology: FO, device: r, interface: e0, capacity: 4 MB}}\n",
        "3:66 links.fo.capacity: 'MB' is no unit of a rate: write 4 Mbit/s, 512 kbit/s",
    ),
    "link with a device's name": (
        SITE + ROUTER + "links: {r: {technology: FO, device: r, interface: e0, capacity: 4 Mbit/s}}\n",
        "3:9 links.r: r is a device already (devices and links share their names: choose another)",
    ),
    "device with the name of a far end": (
        SITE
        + "devices: {r: {address: h, snmp: {version: 2c, community: env:C}}, fo-peer: {address: i}}\n"
        + "links: {fo: {technology: FO, device: r, interface: e0, capacity: 4 Mbit/s, peer: p}}\n",
        "3:9 links.fo: fo-peer is the name of the far end of the link fo (rename the link or that device)",
    ),
    # checks
    "check without probe": (
        SITE + ROUTER + "checks: {c: {device: r}}\n",
        "3:10 checks.c: probe is missing (no role brings a check of this name)",
    ),
    "unknown probe": (
        SITE + ROUTER + "checks: {c: {probe: pingg, device: r}}\n",
        "3:21 checks.c.probe: there is no probe pingg (did you mean ping?)",
    ),
    "check of nothing": (
        SITE + "checks: {c: {probe: ping}}\n",
        "2:10 checks.c: device is missing (or link, for a check of a link)",
    ),
    "check with nothing to look at": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: }}\n",
        "3:10 checks.c: device is missing (or link, for a check of a link)",
    ),
    "check with nothing to look by": (
        SITE + ROUTER + "checks: {c: {probe: , device: r}}\n",
        "3:10 checks.c: probe is missing (no role brings a check of this name)",
    ),
    "check of both": (
        SITE + ROUTER + LINK + "checks: {c: {probe: ping, device: r, link: fo}}\n",
        "4:38 checks.c.link: a check is of a device or of a link, not of both",
    ),
    "check of no device": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: s}}\n",
        "3:35 checks.c.device: there is no device s (there are: r)",
    ),
    "unknown incident kind": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: r, incident: powr}}\n",
        "3:48 checks.c.incident: there is no incident kind powr (did you mean power?)",
    ),
    "unknown key of a probe": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: r, cuont: 3}}\n",
        "3:38 checks.c.cuont: unknown key cuont (did you mean count?)",
    ),
    "mistyped common key": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: r, evry: 60s}}\n",
        "3:38 checks.c.evry: unknown key evry (did you mean every?)",
    ),
    "missing key of a probe": (
        SITE + ROUTER + "checks: {c: {probe: tcp, device: r}}\n",
        "3:10 checks.c: port is missing",
    ),
    "value out of a probe's bounds": (
        SITE + ROUTER + "checks: {c: {probe: tcp, device: r, port: 0}}\n",
        "3:43 checks.c.port: 0 is too little: at least 1",
    ),
    "no time at all": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: r, every: 0s}}\n",
        "3:45 checks.c.every: 0s is too little: it must be more than 0\u00a0s",
    ),
    "never confirmed": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: r, confirm: 0}}\n",
        "3:47 checks.c.confirm: 0 is too little: at least 1",
    ),
    "threshold that is no range": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: r, warning: 20-10}}\n",
        "3:47 checks.c.warning: '20-10' is not a range such as 10, 10:, ~:10, 10:20 or @10:20",
    ),
    "threshold of no metric": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: r, thresholds: {los: {warning: 5%}}}}\n",
        "3:51 checks.c.thresholds.los: the probe ping measures no los (did you mean loss?)",
    ),
    "way of a probe that has none": (
        SITE + ROUTER + "checks: {c: {probe: ping, device: r, via: snmp}}\n",
        "3:38 checks.c.via: the probe ping has no choice of ways (leave it out)",
    ),
    "check of no link": (
        SITE + ROUTER + "checks: {c: {probe: ping, link: fo}}\n",
        "3:33 checks.c.link: there is no link fo",
    ),
    "check of a far end that is unknown": (
        SITE
        + ROUTER
        + "links: {fo: {technology: FO, device: r, interface: e0, capacity: 4 Mbit/s}}\n"
        + "checks: {c: {probe: ping, link: fo}}\n",
        "4:10 checks.c: the link fo has no peer to look at (give the link its peer:)",
    ),
    # incident kinds
    "unknown interruption": (
        SITE + "incidents: {power: {interruption: sometimes}}\n",
        "2:35 incidents.power.interruption: sometimes is none of: always, detected, never",
    ),
    "other that interrupts": (
        SITE + "incidents: {other: {interruption: always}}\n",
        "2:35 incidents.other.interruption: the kind other never interrupts the client's service"
        " (give these checks a kind of their own)",
    ),
    "title in a third language": (
        SITE + "incidents: {power: {title: {de: Strom}}}\n",
        "2:29 incidents.power.title.de: unknown key de (there are: en, fr)",
    ),
}

WARNINGS = {
    "nobody is told": (SITE, "1:1 operations: nobody would be told of an incident (write operations: {to: [...]})"),
    "only the client is told": (
        SITE
        + "contacts: {a: {mail: a@b.cm}}\nchannels: {mail: {url: env:HOME}}\nprotocol: {first_notice: {to: [a]}}\n",
        "4:1 operations: nobody would be told of warnings, nor that a check is blind (write operations: {to: [...]})",
    ),
    "an empty operations tells nobody": (
        SITE + "operations:\n",
        "1:1 operations: nobody would be told of an incident (write operations: {to: [...]})",
    ),
    "a rehearsal that nobody would see": (
        SITE
        + "contacts: {a: {mail: a@b.cm}}\nchannels: {mail: {url: env:HOME}}\n"
        + "protocol: {live: false, first_notice: {to: [a]}}\n",
        "4:1 operations: with live: false everything goes to operations, and there is none: nobody would be told"
        " (write operations: {to: [...]})",
    ),
    "no channel for an address": (
        SITE + "contacts: {a: {mail: a@b.cm}}\noperations: {to: [a]}\n",
        "2:16 contacts.a.mail: there is no channel mail: nothing is sent to this address (declare it under channels:)",
    ),
    "community in clear": (
        SITE + "operations:\ndevices: {a: {address: h, snmp: {version: 2c, community: public}}}\n",
        "3:58 devices.a.snmp.community: this stands here in clear (write env:NAME or file:PATH)",
    ),
    "channel in clear": (
        SITE + "operations:\nchannels: {mail: {url: 'mailto://u:p@h'}}\n",
        "3:24 channels.mail.url: this stands here in clear (write env:NAME or file:PATH)",
    ),
    "unset variable": (
        SITE + "operations:\nchannels: {mail: {url: env:RELEVE_NOT_SET_ANYWHERE}}\n",
        "3:24 channels.mail.url: environment variable RELEVE_NOT_SET_ANYWHERE is not set",
    ),
    "empty variable": (
        SITE + "channels: {mail: {url: env:RELEVE_SET_AND_EMPTY}}\n",
        "2:24 channels.mail.url: environment variable RELEVE_SET_AND_EMPTY is empty",
    ),
    "absent file": (
        SITE + "operations:\nchannels: {mail: {url: 'file:/nowhere/at/all'}}\n",
        "3:24 channels.mail.url: the file /nowhere/at/all cannot be read by this user",
    ),
    "old cryptography": (
        SITE + "operations:\ndevices: {a: {address: h, legacy_crypto: [ssh-rsa]}}\n",
        "3:27 devices.a.legacy_crypto: old cryptography is allowed for this device: ssh-rsa"
        " (replace the device's software when you can)",
    ),
    "conference": (
        SITE + "operations:\ncontacts: {a: {mail: a@b.cm}}\nchannels: {mail: {url: env:HOME}}\n"
        "protocol: {conference: {to: [a]}}\n",
        "5:12 protocol.conference: whoever is invited does not read how to dial in "
        '(give it bridge: "+237..., code ...")',
    ),
    "further key": (
        SITE + "operations:\nrounds: {any: [thing]}\n",
        "3:1 rounds: accepted, but this version does not act on it",
    ),
    "title of a check": (
        SITE + "operations:\ndevices: {a: {address: h}}\nchecks: {c: {probe: ping, device: a, title: T}}\n",
        "4:38 checks.c.title: accepted, but this version does not act on it",
    ),
    "thresholds exchanged": (
        SITE + "operations:\ndevices: {a: {address: h}}\n"
        "checks: {c: {probe: ping, device: a, warning: 200ms, critical: 100ms}}\n",
        "4:47 checks.c.warning: a value is critical here before it is a warning (exchange warning and critical)",
    ),
    "role that cannot look": (
        SITE + "operations:\ndevices: {r: {address: h, role: router}}\n",
        "3:33 devices.r.role: r has no snmp:, so that r is not watched",
    ),
}


@pytest.mark.parametrize("rule", ERRORS)
def test_a_broken_rule_is_told_once_at_its_place(rule, read, lines):
    snippet, message = ERRORS[rule]
    loaded = read(snippet)
    assert lines(loaded.problems) == [message]
    assert loaded.inventory is None


@pytest.mark.parametrize("rule", WARNINGS)
def test_what_is_allowed_and_not_well_is_a_warning(rule, read, lines, monkeypatch):
    snippet, message = WARNINGS[rule]
    monkeypatch.setenv("RELEVE_SET_AND_EMPTY", "")
    assert "HOME" in os.environ
    loaded = read(snippet)
    assert lines(loaded.problems) == []
    told = lines(loaded.problems, Level.WARNING)
    assert [line for line in told if "nobody would be told" in message or "nobody would be told" not in line] == [
        message
    ]
    assert loaded.inventory is not None


def test_the_message_about_a_secret_does_not_repeat_it(read, lines):
    loaded = read(
        SITE + "devices: {a: {address: h, ssh: {user: u, password: hunter2, key: 987654}, snmp: {version: 3, user: u,"
        " auth: [swordfish]}}}\n"
    )
    told = " ".join(lines(loaded.problems))
    assert not any(secret in told for secret in ("hunter2", "987654", "swordfish"))


@pytest.mark.parametrize(
    "written",
    [
        "channels: {mail: 'mailto://user:tr0ub4dor@host'}",
        "devices: {a: {address: h, snmp: tr0ub4dor}}",
        "devices: {a: {address: h, snmp: {version: 2c, community: !tr0ub4dor x}}}",
        "devices: {a: {address: h, ssh: {user: u, password: *tr0ub4dor}}}",
        "devices: {a: {address: h, ssh: {user: u, password: !tr0ub4dor}}}",
        "devices: {a: {address: h, nut: {ups: u, password: [tr0ub4dor]}}}",
        "devices: {a: {address: h, nut: {ups: u, password: {tr0ub4dor: 1}}}}",
    ],
)
def test_a_secret_in_the_wrong_shape_is_not_repeated_either(written, read, lines):
    problems = read(SITE + written + "\n").problems
    assert lines(problems)
    assert "tr0ub4dor" not in "".join(lines(problems) + lines(problems, Level.WARNING))


def test_every_key_that_holds_a_secret_is_known_to_whoever_quotes_yaml():
    models = [*WAYS.values(), ChannelKeys]
    held = {name for model in models for name, field in model.model_fields.items() if "Secret" in str(field.annotation)}
    assert held == SECRET_KEYS


@pytest.mark.parametrize("reference", ["file:~nobody-of-that-name/x", "file:~", "file:a\\0b"])
def test_a_secret_in_no_file_at_all_is_a_warning(reference, read, lines, monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    text = SITE + f'devices: {{a: {{address: h, ssh: {{user: u, password: "{reference}"}}}}}}\n'
    assert any("cannot be read by this user" in line for line in lines(read(text).problems, Level.WARNING))


@pytest.mark.parametrize("section", ["include: [pipe]", "devices: {all: {csv: pipe}}"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(section, read, lines, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert any("is not a plain file" in line for line in lines(read(SITE + section + "\n").problems))
