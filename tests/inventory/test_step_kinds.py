"""Steps of a site's own runbooks: each kind is read as it is written by hand, and a mistake in one is located."""

from __future__ import annotations

import pytest

from monitor.core.ids import CheckId
from monitor.core.text import ENGLISH
from monitor.inventory.problems import Level
from runbooks.contract import Subject

SITE = """\
site: {name: X}
devices:
  hmp: {address: 10.0.0.1, ssh: {user: releve, key: env:HOME, platform: linux}}
  sql: {address: 10.0.0.2, sql: {engine: postgresql, database: crm, user: releve, password: env:HOME, ca: /etc/ca.pem}}
  mssql: {address: 10.0.0.4, sql: {engine: mssql, database: crm, user: releve, password: env:HOME, ca: /etc/ca.pem}}
  router: {address: 10.0.0.3, ssh: {user: releve, key: env:HOME, enable_password: env:HOME, platform: cisco_ios}}
checks:
  web: {probe: tcp, device: hmp, port: 80, incident: web-down}
incidents: {web-down: {runbook: own}}
contacts: {admin: {mail: a@b.cm}}
channels: {mail: {url: env:HOME}}
operations: {to: [admin]}
"""
BOOK = """\
runbook: own
title: {fr: Essai, en: Trial}
steps:
"""
STEPS = {
    "command": (
        "{step: command, command: [systemctl, stop, dialler], exit: [0, 5], matches: '^in(active|existent)$', "
        "effect: changes, undo: [systemctl, start, dialler], done: [sh, -c, 'exit 1'], within: 90s}",
        "run systemctl stop dialler on hmp",
    ),
    "http-call": (
        "{step: http-call, method: PUT, url: 'https://proxy.example/v1', headers: {Authorization: Bearer env:HOME}, "
        "body: {weight: 0, of: [1, null]}, ca: /etc/ca.pem, status: 202, answer: {/state: down}, effect: changes, "
        "done: {url: 'https://proxy.example/v1', status: [200, 204], answer: {/state: down}}, within: 20s}",
        "call PUT https://proxy.example/v1",
    ),
    "sql-statement": (
        "{step: sql-statement, device: sql, statement: ['UPDATE fence SET token = :token', SELECT 1], rows: 1, "
        "value: 1, effect: changes, done: 'SELECT token >= :token FROM fence', within: 20s}",
        "carry out on the database of sql: UPDATE fence SET token = :token; SELECT 1",
    ),
    "pg-promote": ("{step: pg-promote, device: sql, within: 45s}", "make the standby sql the primary"),
    "router-config": (
        "{step: router-config, device: router, lines: [interface Gi0/0, shutdown], effect: changes, save: true, "
        "rollback: [interface Gi0/0, no shutdown], show: show interface Gi0/0, verify: web, verify_within: 20s, "
        "done: {show: show ip route, expect: 198.18.0.0}, within: 30s}",
        "configure router: interface Gi0/0; shutdown",
    ),
    "patroni-switchover": (
        "{step: patroni-switchover, device: sql, url: ['https://10.0.0.2:8008', 'https://10.0.0.5:8008'], "
        "candidate: sql, user: releve, password: env:HOME, ca: /etc/ca.pem, cert: /etc/own.pem, key: /etc/own.key, "
        "force: true, lag: 16 MB, within: 2 min}",
        "have Patroni make sql the primary, even without the old one",
    ),
    "always-on-failover": (
        "{step: always-on-failover, device: mssql, group: crm, forced: true, within: 5 min}",
        "make mssql the primary of the availability group crm, by force where it must be: data may be lost then",
    ),
}


@pytest.mark.parametrize(("step", "said"), STEPS.values(), ids=STEPS)
def test_every_key_is_read_and_the_dry_run_says_what_would_be_done(read, lines, step, said):
    loaded = read(SITE, **{"runbooks/own.yaml": f"{BOOK}  - {step}\n"})
    assert lines(loaded.problems) == []
    assert lines(loaded.problems, Level.WARNING) == []
    subject = Subject(CheckId("web"), loaded.inventory.actionable)
    assert [ENGLISH.render(action.said) for action in loaded.inventory.books["own"].plan(subject)] == [said]


BAD = {
    "one text instead of words": (
        "{step: command, command: systemctl stop dialler}",
        "own.yaml:4:30 runbook.steps.1.command: a list is expected here, not systemctl stop dialler "
        "(write [systemctl stop dialler])",
    ),
    "no pattern": (
        "{step: command, command: [x], matches: '('}",
        "own.yaml:4:44 runbook.steps.1.matches: ( is no regular expression: "
        "missing ), unterminated subpattern at position 0",
    ),
    "no effect": (
        "{step: command, command: [x], effect: disrupt}",
        "own.yaml:4:43 runbook.steps.1.effect: disrupt is none of: reads, changes, disrupts (did you mean disrupts?)",
    ),
    "a secret in clear": (
        "{step: http-call, url: 'https://x/', headers: {X-Api-Key: abc}}",
        "own.yaml:4:51 runbook.steps.1.headers: the header X-Api-Key is a secret: write env:NAME or file:PATH for it",
    ),
    "a secret that anybody could read": (
        "{step: http-call, url: 'http://x/', headers: {X-Api-Key: env:HOME}}",
        "own.yaml:4:5 runbook.steps.1: a secret would go openly to http://x/: write https",
    ),
    "several statements in one": (
        "{step: sql-statement, statement: 'BEGIN; SELECT 1'}",
        "own.yaml:4:38 runbook.steps.1.statement: write one statement a line of the list: here are several in one",
    ),
    "a line that leaves the configuration": (
        "{step: router-config, lines: [interface Gi0/0, end]}",
        "own.yaml:4:52 runbook.steps.1.lines.1: end is no line of a configuration",
    ),
    "a password of Patroni in clear": (
        "{step: patroni-switchover, url: 'https://x', candidate: a, user: b, password: sesame}",
        "own.yaml:4:83 runbook.steps.1.password: a secret stands here in clear: write env:NAME or file:PATH for it",
    ),
    "an address of Patroni with a path behind it": (
        "{step: patroni-switchover, url: 'https://x/?a=1', candidate: a}",
        "own.yaml:4:37 runbook.steps.1.url: write the address of Patroni without anything behind it, such as "
        "https://10.1.0.5:8008",
    ),
    "a truth for an exit code": (
        "{step: command, command: [x], exit: [true]}",
        "own.yaml:4:42 runbook.steps.1.exit.0: a whole number is expected here, not true",
    ),
}


@pytest.mark.parametrize(("step", "expected"), BAD.values(), ids=BAD)
def test_a_mistake_is_told_at_its_place(read, lines, step, expected):
    loaded = read(SITE, **{"runbooks/own.yaml": f"{BOOK}  - {step}\n"})
    assert [line for line in lines(loaded.problems) if line.startswith("own.yaml:")] == [expected]
    assert loaded.inventory is None


def test_a_command_for_a_device_whose_shell_nobody_knows_is_a_warning(read, lines):
    text = SITE.replace(", platform: linux", "")
    (told,) = lines(read(text, **{"runbooks/own.yaml": f"{BOOK}  - {STEPS['command'][0]}\n"}).problems, Level.WARNING)
    assert "own can do nothing about web: nobody says which shell hmp has" in told
    assert "platform: windows or platform: linux" in told


def test_a_secret_of_a_step_that_leads_nowhere_is_a_warning(read, lines):
    step = "{step: http-call, url: 'https://x/', headers: {X-Api-Key: env:RELEVE_NO_SUCH_SECRET}}"
    (told,) = lines(read(SITE, **{"runbooks/own.yaml": f"{BOOK}  - {step}\n"}).problems, Level.WARNING)
    assert told.endswith("runbook.steps.1.X-Api-Key: environment variable RELEVE_NO_SUCH_SECRET is not set")
