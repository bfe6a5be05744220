"""`releve notify test`: one real message, and what came of it."""

from __future__ import annotations

import email
import email.policy
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from monitor.cli import carry_out as run
from monitor.cli.context import ExitCode

Said = Callable[..., tuple[int, str, str]]


class Mailroom:
    """Keeps what arrives; refuses whoever is called nobody."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.kept.append(envelope.content)
        return "250 2.0.0 queued as 4711"


@pytest.fixture
def mailroom(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailroom]:
    room = Mailroom()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(room, hostname="127.0.0.1", port=port)
    server.start()
    monkeypatch.setenv("MAIL_URL_OF_TEST", f"mailto://127.0.0.1:{port}?from=noc@example.org")
    yield room
    server.stop()


@pytest.fixture
def releve(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    path = tmp_path / "inventory.yaml"
    path.write_text(
        """
site: {name: Essai, timezone: Africa/Douala, language: fr}
contacts:
  awa: {name: Awa Ndiaye, mail: awa@example.org, sms: "+237600000000", order: [mail, sms], language: en}
  nobody: {name: Personne, mail: nobody@example.org}
  lost: {name: Perdu, sms: "+237600000001"}
channels:
  mail: {url: "env:MAIL_URL_OF_TEST"}
operations: {to: [awa]}
""",
        encoding="utf-8",
    )
    monkeypatch.setenv("LANGUAGE", "en")

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["--inventory", str(path), "--data", str(tmp_path / "data"), "--lang", "en", *arguments])
        said = capsys.readouterr()
        return int(code), said.out, said.err

    return call


def test_the_servers_answer_is_told_and_the_message_is_in_the_readers_language(releve, mailroom):
    code, out, err = releve("notify", "test", "awa")
    assert (code, err) == (ExitCode.DONE, "")
    assert out == "Sent to Awa Ndiaye by mail (awa@example.org): 250 2.0.0 queued as 4711\n"
    (raw,) = mailroom.kept
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert str(message["Subject"]) == "[Relève] Test message"
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines()[1] == "Impact: none, nothing has happened."


def test_json_says_by_which_way_and_under_which_number(releve, mailroom):
    code, out, _ = releve("notify", "test", "awa", "--json")
    told = json.loads(out)
    message_id = told.pop("message_id")
    assert code == ExitCode.DONE
    assert told == {
        "contact": "awa",
        "channel": "mail",
        "address": "awa@example.org",
        "accepted": True,
        "answer": "250 2.0.0 queued as 4711",
    }
    assert message_id.encode() in mailroom.kept[0]


def test_a_refused_message_is_something_wrong(releve, mailroom):
    code, out, err = releve("notify", "test", "nobody")
    assert (code, out) == (ExitCode.WRONG, "")
    assert "Not sent to Personne" in err
    assert "550 5.1.1 no such user" in err


def test_a_server_that_is_not_there_is_something_wrong(releve, monkeypatch):
    monkeypatch.setenv("MAIL_URL_OF_TEST", "mailto://127.0.0.1:1")
    code, _, err = releve("notify", "test", "awa")
    assert code == ExitCode.WRONG
    assert "127.0.0.1:1" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["somebody"], "there are: awa, nobody, lost"),
        (["lost"], "no channel leads to lost"),
        (["awa", "--channel", "sms"], "there are: mail"),
        (["awa"], "MAIL_URL_OF_TEST"),
    ],
)
def test_what_the_settings_do_not_allow_could_not_be_done(releve, monkeypatch, arguments, words):
    monkeypatch.delenv("MAIL_URL_OF_TEST", raising=False)
    code, out, err = releve("notify", "test", *arguments)
    assert (code, out) == (ExitCode.CANNOT, "")
    assert words in err


@pytest.fixture
def lab(tmp_path: Path, mailroom: Mailroom, releve: Said) -> Callable[..., None]:
    """Write another inventory: channels by mail and by SMS, and the client beside our own people."""

    def write(channels: str, to: str = "awa", more: str = "") -> None:
        (tmp_path / "inventory.yaml").write_text(
            f"""
site: {{name: Essai, timezone: Africa/Douala, language: fr}}
contacts:
  awa: {{name: Awa Ndiaye, mail: awa@example.org, sms: "+237600000000", order: [mail, sms], language: en}}
  ben: {{name: Ben, mail: ben@example.org}}
  nobody: {{name: Personne, mail: nobody@example.org}}
  att: {{name: Desk ATT, mail: att@example.org}}
{more}
channels: {{{channels}}}
protocol: {{first_notice: {{to: [att]}}, update: {{to: [att, ben], every: 60 min}}}}
operations: {{to: [{to}]}}
""",
            encoding="utf-8",
        )

    return write


MAIL = 'mail: {url: "env:MAIL_URL_OF_TEST"}'


def silent_server() -> socket.socket:
    """A server that takes connections and never says a word."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.listen()
    return listening


def modem(tmp_path: Path) -> str:
    """The spool of a modem that is there and does nothing."""
    for name in ("inbox", "outbox", "sent", "error"):
        (tmp_path / "spool" / name).mkdir(parents=True)
    return f'sms: {{url: "gammu:{tmp_path / "spool"}?wait=30s"}}'


def test_a_canary_tells_how_far_each_channel_came(releve, mailroom, lab):
    lab(MAIL)
    code, out, err = releve("notify", "canary")
    assert (code, err) == (ExitCode.DONE, "")
    assert re.fullmatch(
        r"mail to awa: queued \d\d:\d\d:\d\d, sent \d\d:\d\d:\d\d, accepted \d\d:\d\d:\d\d: 250 2.0.0 queued as 4711\n",
        out,
    )
    assert len(mailroom.kept) == 1


def test_a_canary_as_json_has_the_moments_and_the_answer(releve, mailroom, lab):
    lab(MAIL)
    code, out, _ = releve("notify", "canary", "awa", "--json")
    told = json.loads(out)
    (one,) = told["channels"]
    assert (code, told["ok"], one["state"], one["answer"]) == (0, True, "accepted", "250 2.0.0 queued as 4711")
    assert one["queued_at"] <= one["sent_at"] <= one["accepted_at"]
    assert one["message_id"].encode() in mailroom.kept[0]


def test_a_channel_that_hangs_keeps_no_other_waiting_and_ends_with_the_deadline(releve, mailroom, lab):
    with silent_server() as mute:
        lab(
            f'{MAIL}, slow: {{url: "mailto://127.0.0.1:{mute.getsockname()[1]}?from=noc@example.org"}}',
            to="awa, zoe",
            more="  zoe: {name: Zoe, slow: zoe@example.org}",
        )
        code, out, _ = releve("notify", "canary", "--deadline", "1s", "--json")
    fates = {one["channel"]: one["state"] for one in json.loads(out)["channels"]}
    assert (code, fates) == (ExitCode.WRONG, {"mail": "accepted", "slow": "late"})


def test_a_refusal_is_something_wrong(releve, mailroom, lab):
    lab(MAIL, to="nobody")
    code, out, _ = releve("notify", "canary")
    assert code == ExitCode.WRONG
    assert "REFUSED" in out
    assert "550 5.1.1 no such user" in out


def test_a_channel_that_nobody_of_operations_can_be_reached_by_is_something_wrong(releve, mailroom, lab, tmp_path):
    lab(f"{MAIL}, {modem(tmp_path)}", to="nobody")
    code, _, err = releve("notify", "canary")
    assert code == ExitCode.WRONG
    assert "sms: nobody of operations" in err


@pytest.mark.parametrize("contact", ["att", "ben"])
def test_a_canary_never_goes_to_the_client(releve, mailroom, lab, contact):
    lab(MAIL)
    code, out, err = releve("notify", "canary", contact)
    assert (code, out, mailroom.kept) == (ExitCode.CANNOT, "", [])
    assert "is the client's" in err
    assert releve("notify", "canary")[0] == ExitCode.DONE
    assert b"awa@example.org" in mailroom.kept[0]
    assert len(mailroom.kept) == 1


@pytest.mark.parametrize("deadline", ["0s", "60", "2h"])
def test_a_deadline_that_is_none_is_refused(releve, mailroom, lab, deadline):
    lab(MAIL)
    code, _, err = releve("notify", "canary", "--deadline", deadline)
    assert (code, mailroom.kept) == (ExitCode.CANNOT, [])
    assert "--deadline" in err


def test_of_a_rota_who_is_on_duty_hears_the_canary_and_the_client_s_rota_never_does(releve, mailroom, lab, tmp_path):
    lab(MAIL, to="ours")
    path = tmp_path / "inventory.yaml"
    rotas = """
rota:
  ours: {members: [awa], handover: "08:00", from: 2026-01-05, holidays: {2026-01-06: zoe}}
  theirs: {members: [max], handover: "08:00", from: 2026-01-05}
"""
    text = path.read_text().replace("update: {to: [att, ben]", "update: {to: [att, ben, theirs]")
    people = "  zoe: {name: Zoe, mail: zoe@example.org}\n  max: {name: Max, mail: max@example.org}\nchannels:"
    path.write_text(text.replace("\nchannels:", f"\n{people}") + rotas, encoding="utf-8")
    assert releve("validate")[0] == ExitCode.DONE
    assert releve("notify", "canary")[0] == ExitCode.DONE
    assert releve("notify", "canary", "zoe")[0] == ExitCode.DONE
    assert releve("notify", "canary", "max")[0] == ExitCode.CANNOT
    assert [name in raw for raw, name in zip(mailroom.kept, (b"awa@", b"zoe@"), strict=True)] == [True, True]


def test_a_real_message_to_a_rota_goes_to_who_is_on_duty_whoever_took_over(releve, mailroom, lab, tmp_path):
    lab(MAIL)
    path = tmp_path / "inventory.yaml"
    people = "  zoe: {name: Zoe, mail: zoe@example.org}\nchannels:"
    rota = '\nrota: {ours: {members: [awa], handover: "08:00", from: 2026-01-05}}\n'
    path.write_text(path.read_text().replace("\nchannels:", f"\n{people}") + rota, encoding="utf-8")
    assert releve("notify", "test", "ours")[0] == ExitCode.DONE
    assert releve("oncall", "override", "zoe", "--for", "1h")[0] == ExitCode.DONE
    code, out, _ = releve("notify", "test", "ours", "--json")
    assert (code, json.loads(out)["contact"], json.loads(out)["address"]) == (ExitCode.DONE, "zoe", "zoe@example.org")
    assert releve("notify", "canary", "ours")[0] == ExitCode.DONE
    assert [name in raw for raw, name in zip(mailroom.kept, (b"awa@", b"zoe@", b"zoe@"), strict=True)] == [True] * 3
    code, _, err = releve("notify", "test", "theirs")
    assert (code, "there are: " in err, ", ours" in err) == (ExitCode.CANNOT, True, True)
