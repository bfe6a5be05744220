"""`releve probe`: kinds are listed and explained, one is run with the inventory's rules for its parameters."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.cli import carry_out as run
from monitor.cli.context import ExitCode
from monitor.cli.probe_params import parameters
from monitor.core.text import ENGLISH
from monitor.core.text import NO_BREAK_SPACE as HARD
from probes.registry import KINDS, load

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def releve(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.setenv("LANGUAGE", "en")

    def call(*arguments: str, lang: str = "en") -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["--lang", lang, *arguments])
        said = capsys.readouterr()
        return int(code), said.out, said.err

    return call


@pytest.fixture
def open_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture
def closed_port() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield str(taken.getsockname()[1])


def test_every_kind_is_listed_with_what_it_measures(releve):
    code, out, _err = releve("probe", "list", "--json")
    listed = {kind["kind"]: kind for kind in json.loads(out)}
    assert code == ExitCode.DONE
    assert list(listed) == list(KINDS)
    assert all(kind["metrics"] and kind["needs"] for kind in listed.values())
    _code, people, _err = releve("probe", "list")
    assert [line.split()[0] for line in people.splitlines()[1:]] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_explained(releve, kind):
    code, out, _err = releve("probe", "show", kind)
    assert code == ExitCode.DONE
    assert "warning" in out
    explained = json.loads(releve("probe", "show", kind, "--json")[1])
    assert {"warning", "critical", "thresholds"} <= {key["name"] for key in explained["parameters"]}
    assert all(key["description"] for key in explained["parameters"])


def test_ways_profiles_and_defaults_are_explained_as_the_inventory_writes_them(releve):
    explained = json.loads(releve("probe", "show", "ups", "--json")[1])
    assert {"nut", "snmp"} <= {way["way"] for way in explained["ways"]}
    assert "ups-mib" in {profile["name"] for profile in explained["profiles"]}
    ping = {key["name"]: key for key in json.loads(releve("probe", "show", "ping", "--json")[1])["parameters"]}
    assert (ping["interval"]["default"], ping["count"]["default"], ping["port"]["default"]) == ("0.2s", 5, None)
    tcp = {key["name"]: key for key in json.loads(releve("probe", "show", "tcp", "--json")[1])["parameters"]}
    assert tcp["port"]["required"]


def test_another_device_is_given_by_its_address_and_reached_with_the_same_log_in(releve, closed_port, monkeypatch):
    monkeypatch.setenv("SECRET", "sesame")
    access = {
        "engine": "postgresql",
        "database": "crm",
        "user": "releve",
        "password": "env:SECRET",
        "port": closed_port,
    }
    words = [word for key, value in access.items() for word in ("--param", f"sql.{key}={value}")]
    code, out, _err = releve(
        "probe", "run", "replication", "127.0.0.1", "--param", "standby=127.0.0.2", *words, "--json"
    )
    shown = json.loads(out)
    assert (code, shown["severity"]) == (ExitCode.WRONG, "unknown")
    assert "PostgreSQL on 127.0.0.1 cannot be asked" in shown["summary"]
    assert "PostgreSQL on 127.0.0.2 cannot be asked" in shown["summary"]


def test_one_probe_is_run_without_an_inventory(releve, open_port):
    code, out, err = releve("probe", "run", "tcp", "127.0.0.1", "--param", f"port={open_port}", "--json")
    result = json.loads(out)
    assert (code, err) == (ExitCode.DONE, "")
    assert (result["kind"], result["device"], result["severity"]) == ("tcp", "127.0.0.1", "ok")
    assert [metric["name"] for metric in result["metrics"]] == ["time"]


def test_what_is_wrong_makes_the_exit_status_one(releve, closed_port):
    code, out, _err = releve("probe", "run", "tcp", "127.0.0.1", "--param", f"port={closed_port}")
    assert code == ExitCode.WRONG
    assert "CRITICAL" in out
    assert "connection refused" in out


@pytest.mark.parametrize(("lang", "said"), [("en", "0% "), ("fr", "0\N{NO-BREAK SPACE}% ")])
def test_the_answer_is_in_the_readers_language(releve, closed_port, lang, said):
    given = ["--param", f"port={closed_port}", "--param", "count=1"]
    assert said in releve("probe", "run", "ping", "127.0.0.1", *given, lang=lang)[1]


def test_a_plugin_answers_with_its_own_exit_codes(releve, open_port, closed_port):
    code, out, _err = releve("probe", "run", "tcp", "127.0.0.1", "--param", f"port={open_port}", "--nagios")
    assert code == 0
    assert out.startswith("TCP OK - ")
    assert "| 'time'=" in out
    code, out, _err = releve("probe", "run", "tcp", "127.0.0.1", "--param", f"port={closed_port}", "--nagios")
    assert (code, out) == (2, f"TCP CRITICAL - port {closed_port}: connection refused\n")
    code, out, err = releve("probe", "run", "tcp", "127.0.0.1", "--nagios")
    assert (code, out, err) == (3, "TCP UNKNOWN - tcp: port is missing\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tpc", "127.0.0.1"], "nearest: tcp"),
        (["tcp", "127.0.0.1"], "port is missing"),
        (["tcp", "127.0.0.1", "--param", "port=0"], "tcp.port: 0 is too little"),
        (["tcp", "127.0.0.1", "--param", "port=x"], "tcp.port: a whole number is expected here, not x"),
        (["tcp", "127.0.0.1", "--param", "port=22", "--param", "prot=1"], "did you mean port?"),
        (["tcp", "127.0.0.1", "--param", "port"], "is not KEY=VALUE"),
        (["tcp", "127.0.0.1", "--param", ".port=1"], "is not KEY=VALUE"),
        (["tcp", "127.0.0.1", "--param", "port=1", "--param", "port.a=1"], "as a value and as a table"),
        (["tcp", "127.0.0.1", "--param", "port.a=1", "--param", "port=1"], "as a value and as a table"),
        (["tcp", "127.0.0.1", "--param", "port=22", "--param", "warning=fast"], "tcp.warning"),
        (["ups", "127.0.0.1", "--param", "snmp.version=4"], "ups.snmp.version"),
        (["ups", "127.0.0.1", "--param", "nut.usp=a"], "unknown key usp"),
        (["tcp", "127.0.0.1", "--param", "port=22", "--timeout", "soon"], "--timeout"),
        (["tcp", "127.0.0.1", "--param", "port=22", "--timeout", "0s"], "--timeout"),
    ],
)
def test_what_cannot_be_run_is_told_with_its_remedy_and_exit_status_two(releve, arguments, said):
    code, out, err = releve("probe", "run", *arguments)
    assert (code, out) == (ExitCode.CANNOT, "")
    assert said in err


def test_parameters_are_read_as_in_the_inventory():
    params, access = parameters(
        load("http"),
        ["port=8443", "tls=true", "status=200", "status=401", "expect=220", "thresholds.time.critical=2s",
         "snmp.version=2c", "snmp.community=1234", "nut.ups=a"],
        ENGLISH,
    )  # fmt: skip
    assert (params.port, params.tls, params.status, params.expect) == (8443, True, (200, 401), "220")
    assert params.thresholds["time"].critical.high == 2000
    assert (access["snmp"].community.reveal(), access["nut"].ups) == ("1234", "a")


def test_several_problems_are_told_at_once(releve):
    err = releve(
        "probe", "run", "tcp", "127.0.0.1", "--param", "port=0", "--param", "a=1", "--param", "snmp.version=9"
    )[2]
    assert len(err.splitlines()) == 3


def test_a_password_in_clear_is_warned_of_and_never_shown(releve, closed_port):
    given = [f"port={closed_port}", "nut.ups=a", "nut.password=tr0ub4dor", "snmp.version=2c", "snmp.community=public"]
    _code, out, err = releve("probe", "run", "tcp", "127.0.0.1", *(word for one in given for word in ("--param", one)))
    assert "nut.password stands in clear" in err
    assert "community" not in err
    assert "tr0ub4dor" not in out + err


def test_a_kind_that_does_not_load_is_shown_with_the_reason_and_spoils_no_other(releve, monkeypatch, tmp_path):
    """A third party's probe, broken: it comes by its entry point, as an installed distribution."""
    (tmp_path / "broken_probe.py").write_text("import no_such_module_of_nobody\n", encoding="utf-8")
    info = tmp_path / "broken_probe-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-probe\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[releve.probes]\nbroken = broken_probe:Broken\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import probes.registry  # noqa: PLC0415

    probes.registry.kinds.cache_clear()
    try:
        code, out, _err = releve("probe", "list", "--json")
        listed = {kind["kind"]: kind for kind in json.loads(out)}
        assert code == ExitCode.WRONG
        assert "no_such_module_of_nobody" in listed["broken"]["error"]
        assert "metrics" in listed["tcp"]
        assert "no_such_module_of_nobody" in releve("probe", "show", "broken")[2]
    finally:
        monkeypatch.undo()
        probes.registry.kinds.cache_clear()
        sys.modules.pop("broken_probe", None)


def test_a_third_partys_probe_may_say_nothing_of_itself(releve, monkeypatch, tmp_path):
    (tmp_path / "quiet_probe.py").write_text(
        "from probes.params import Params\n"
        "from monitor.core.text import say\n"
        "from monitor.core.verdict import Severity, Verdict\n"
        "class Quiet:\n"
        "    kind = 'quiet'\n"
        "    Params = Params\n"
        "    async def observe(self, target, params, io): return 1\n"
        "    def judge(self, seen, params): return Verdict(Severity.OK, say('quiet'))\n",
        encoding="utf-8",
    )
    info = tmp_path / "quiet_probe-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quiet-probe\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[releve.probes]\nquiet = quiet_probe:Quiet\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import probes.registry  # noqa: PLC0415

    probes.registry.kinds.cache_clear()
    try:
        assert releve("probe", "show", "quiet")[0] == ExitCode.DONE
        assert releve("probe", "run", "quiet", "127.0.0.1", "--nagios")[:2] == (0, "QUIET OK - quiet\n")
    finally:
        monkeypatch.undo()
        probes.registry.kinds.cache_clear()
        probes.registry.load.cache_clear()
        sys.modules.pop("quiet_probe", None)


def test_rows_stay_whole_in_a_pipe(releve):
    _code, out, _err = releve("probe", "show", "ping")
    assert any("TCP port to time instead of ICMP, for hosts that drop ICMP" in line for line in out.splitlines())


def test_the_data_folder_is_not_touched(releve, tmp_path, open_port):
    data = Path(tmp_path / "data")
    assert run(["--data", str(data), "probe", "run", "tcp", "127.0.0.1", "--param", f"port={open_port}"]) == 0
    assert not data.exists()


@pytest.mark.parametrize("kind", ["ping", "disk", "http", "ups", "generator", "service"])
def test_a_kind_is_explained_in_french_to_the_last_word(releve, kind):
    _code, out, _err = releve("probe", "show", kind, lang="fr")
    head = out.partition("Profils")[0]
    english = ("Needs", "Measures", "Reached", "string", "integer", "boolean", "object", "required", "Default", " the ")
    assert not [word for word in english if word in head]
    assert f"Mesure{HARD}:" in head


def test_a_figure_is_shown_in_the_unit_that_people_use(releve):
    _code, out, _err = releve("probe", "run", "disk", "127.0.0.1", "--param", "mount=/", lang="fr")
    assert re.search(f"free .*{HARD}[kMGT]o", out)
