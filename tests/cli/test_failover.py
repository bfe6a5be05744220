"""`releve failover status` and `plan` as a tired person reads them, with nobody else writing."""

from __future__ import annotations

import fcntl
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from failover.run import MoveEvent, MoveEventKind
from monitor.clock import SystemClock
from monitor.core.health import Health
from monitor.core.ids import CheckId
from monitor.core.text import say, text_to_json
from monitor.core.verdict import Severity
from monitor.store import Batch, Sample, move_id, open_store
from monitor.store.folder import LOCK_FILE, PEER

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {it: {name: DSI, mail: it@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
operations: {to: [it]}
devices:
  sql-1: {address: 127.0.0.1, role: server}
  sql-2: {address: 127.0.0.2, role: server}
checks:
  port-1: {probe: tcp, device: sql-1, port: 5432}
  port-2: {probe: tcp, device: sql-2, port: 5432}
  lag: {probe: tcp, device: sql-2, port: 5433}
  guard-1: {probe: tcp, device: sql-1, port: 5434}
sites:
  centre: {title: Douala, here: true, devices: sql-1}
  secours: {title: Yaoundé, devices: sql-2}
leases: {etcd: {endpoints: ["https://127.0.0.1:2379", "https://127.0.0.2:2379", "https://127.0.0.3:2379"]}}
datasets: {crm-db: {title: la base, how: postgresql, rpo: 5 min, checks: lag}}
plans:
  crm:
    title: le CRM
    active: centre
    standby: secours
    data: crm-db
    rto: 30 min
    fences:
      - guard: {at: centre, stops_within: 10s, check: guard-1}
      - isolation: {at: secours, steps: [{step: ask, text: Cut the trunk}]}
    tell: {plan: [it], report: [all]}
    sites:
      centre:
        stop: [{step: notify, text: Stop it}]
        start: [{step: notify, text: Start it}]
        verify: port-1
      secours:
        start: [[{step: wait-for-check, check: port-2}], {step: ask, text: Does it work?}]
        verify: port-2
        drill:
          up: [{step: notify, text: Bring it up}]
          verify: port-2
          down: [{step: notify, text: Tear it down}]
"""
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def known(tmp_path):
    """Leave a state as a daemon would: every check OK a moment ago but for `bad`, `lag` seconds behind, and `moves`."""

    def leave(*, bad: tuple[str, ...] = (), lag: float = 3.0, moves: tuple[MoveEvent, ...] = (), ago=timedelta(0)):
        at = SystemClock().now() - ago
        names = ("port-1", "port-2", "lag", "guard-1", "sql-1-ping", "sql-2-ping")
        states = {name: Severity.CRITICAL if name in bad else Severity.OK for name in names}
        healths = {
            CheckId(name): Health(one, one, 1, 0, at, at, at, summary=say("fine" if one is Severity.OK else "refused"))
            for name, one in states.items()
        }
        with open_store(tmp_path / "data", write=True, ballast=0) as store:
            store.commit(Batch(healths=healths, move_events=moves))
            store.write_samples([Sample(CheckId("lag"), "lag", "s", at, lag)])

    return leave


def drilled(days: float, state: str = "succeeded") -> tuple[MoveEvent, ...]:
    at = SystemClock().now() - timedelta(days=days)
    data = {
        "plan": {"id": "crm"}, "direction": "drill", "source": "centre", "target": "secours", "tasks": [], "data": [],
        "since": at.isoformat(), "reason": text_to_json(say("works")), "loss": None, "before": None, "incident": None,
    }  # fmt: skip
    name = move_id(1, at)
    ended = {"state": state, "rto": 12.0, "rpo": 0.0}
    return (
        MoveEvent(name, at, MoveEventKind.STARTED, "uid:0", say("it starts"), None, data),
        MoveEvent(name, at, MoveEventKind.ENDED, "releve", say("it ended"), None, ended),
    )


def test_ready_stands_in_the_first_line_and_what_would_be_lost_below(releve, known):
    known(moves=drilled(3))
    code, out, _ = releve("failover", "status")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "READY  le CRM, to Yaoundé"
    assert lines[1] == "  runs at Douala"
    assert lines[2].startswith("  if it moved now: at most the last ")
    assert lines[2].endswith(" of la base would be lost")
    assert lines[3].startswith("  takes 30\N{NO-BREAK SPACE}min at most; last tried: ")
    assert "  (no fence of Douala was used yet in a move)" in lines
    assert "la base" in out
    assert "No daemon runs" in lines[-1]


def test_not_ready_says_why_at_once_and_ends_with_one(releve, known):
    known(moves=drilled(97), bad=("sql-2-ping", "guard-1"), lag=1200)
    code, out, _ = releve("failover", "status", "crm")
    assert code == 1
    assert out.splitlines()[0] == "NOT READY  le CRM, to Yaoundé"
    reasons = [line for line in out.splitlines() if line.startswith("  - ")]
    assert reasons[0].startswith("  - la base is 20\N{NO-BREAK SPACE}min")
    assert reasons[1:] == [
        "  - sql-2-ping fails: refused",
        "  - Douala could not be proven isolated: its guard was not seen to run: guard-1 fails: refused",
        "  - the last drill was 97\N{NO-BREAK SPACE}d ago, 90\N{NO-BREAK SPACE}d at most: `releve failover drill crm`",
    ]


def test_json_holds_what_a_script_asks(releve, known):
    known(moves=drilled(3), lag=40)
    code, out, _ = releve("failover", "status", "--json")
    (group,) = json.loads(out)
    assert code == 0
    assert (group["plan"], group["ready"], group["mode"], group["reasons"]) == ("crm", True, "quorum", [])
    assert group["runs_at"] == group["normally_at"] == {"site": "centre", "title": "Douala"}
    assert group["loss"]["known"] is True
    assert 40 <= group["loss"]["at_most_s"] < 100
    (data,) = group["data"]
    assert (data["lag_s"], data["rpo_s"], data["how"]) == (40, 300, "postgresql")
    assert data["checks"] == [{"check": "lag", "severity": "ok", "stale": False, "summary": "fine"}]


def asking(direction: str = "drill") -> tuple[MoveEvent, ...]:
    begun, _ = drilled(0)
    begun = replace(begun, data={**begun.data, "direction": direction})
    phase = {"phase": "fence"}
    return (
        begun,
        MoveEvent(begun.move, begun.at, MoveEventKind.PHASE, "releve", say("fence"), None, phase),
        MoveEvent(begun.move, begun.at, MoveEventKind.ASKED, "releve", say("Is it cut?")),
    )


def test_a_move_under_way_comes_first_with_what_it_does_and_asks(releve, known):
    moves = asking()
    name = moves[0].move
    known(moves=moves)
    code, out, _ = releve("failover", "status")
    lines = out.splitlines()
    assert code == 1
    assert lines[0] == f"MOVES  le CRM: the move {name} is under way"
    assert lines[1].startswith("  the old site is fenced, since ")
    assert lines[2:5] == ["  Is it cut?", f"  releve failover answer yes {name}", f"  releve failover answer no {name}"]
    (group,) = json.loads(releve("failover", "status", "--json")[1])
    assert (group["ready"], group["severity"], group["reasons"]) == (False, "critical", [])
    assert (group["move"]["phase"], group["move"]["state"], group["move"]["question"]) == (
        "fence", "waiting", "Is it cut?",
    )  # fmt: skip


def test_while_the_old_site_is_stopped_nobody_reads_that_the_group_runs_there(releve, known):
    known(moves=asking("failover")[:2])
    out = releve("failover", "status")[1]
    assert out.splitlines()[2] == "  runs nowhere now, as far as Relève knows"
    assert "runs at Douala" not in out
    assert "if it moved now" not in out


def test_a_drill_leaves_the_group_where_it_runs(releve, known):
    known(moves=asking()[:2])
    assert releve("failover", "status")[1].splitlines()[2] == "  runs at Douala"


def test_the_status_of_the_site_shows_a_move_under_way_and_its_answers_come_first(releve, known):
    moves = asking("failover")
    name = moves[0].move
    known(moves=moves)
    lines = releve("status")[1].splitlines()
    at = lines.index(f"waits for an answer  {name}: forced move to Yaoundé: crm")
    assert lines[at + 1] == "  Is it cut?"
    told = lines.index("To do:")
    assert [line.partition("failover ")[2] for line in lines[told + 2 : told + 4]] == [
        f"answer yes {name}",
        f"answer no {name}",
    ]


def test_a_site_is_called_by_its_title_wherever_people_read(releve, known):
    known(moves=drilled(97), bad=("sql-2-ping", "guard-1"), lag=1200)
    pages = [("status",), ("plan",), ("plan", "--to", "centre"), ("plan", "--forced"), ("plan", "--drill")]
    for page in pages:
        assert not re.search(r"\b(centre|secours)\b", releve("failover", *page)[1]), page
    known(moves=asking("failover"))
    assert not re.search(r"\b(centre|secours)\b", releve("failover", "status")[1] + releve("status")[1])


def test_a_move_under_way_that_asks_nothing_needs_nobody(releve, known):
    known(moves=asking()[:2])
    assert releve("failover", "status")[0] == 0


def test_what_an_old_state_says_is_no_news(releve, known):
    known(moves=drilled(3), ago=timedelta(hours=2))
    code, out, _ = releve("failover", "status")
    assert code == 1
    assert "  - nobody can say how far la base is behind" in out.splitlines()
    assert "sql-2-ping cannot be seen: nothing came of it for 2\N{NO-BREAK SPACE}h" in out
    assert "nobody can say what would be lost: la base was last measured at" in out


def test_before_anything_ran_nothing_is_known(releve):
    code, out, _ = releve("failover", "status")
    assert code == 1
    assert out.splitlines()[0] == "NOT READY  le CRM, to Yaoundé"
    assert "  - nobody can say how far la base is behind" in out.splitlines()


def test_the_dry_run_stands_in_the_fixed_order_and_names_where_a_person_is_asked(releve):
    code, out, _ = releve("failover", "plan")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "le CRM: planned move from Douala to Yaoundé"
    assert lines[1] == "A person is asked at: 3"
    heads = [line for line in lines if line[:1].isdigit() and ". " in line[:4]]
    assert [head.partition(". ")[2] for head in heads] == [
        "the deployment plan is announced",
        "the old site is stopped",
        "the old site is fenced",
        "the data is compared",
        "the copy becomes the original",
        "the new site is started",
        "calls and users are switched to the new site",
        "the new site is verified",
        "the report is written",
    ]
    assert "Only if the old site cannot be fenced: the old site is started again" in lines
    assert "  told: DSI" in lines
    assert "  told: everybody" in lines
    assert "  the guard of Douala stops everything within 10\N{NO-BREAK SPACE}s of the end of its lease" in lines
    assert "  checks: lag" in lines
    assert "  checks: port-2" in lines
    assert lines[-1] == "This is a simulation: nothing was asked of any host."


def test_a_forced_move_stops_nothing_first_and_a_drill_switches_nobody(releve):
    forced = json.loads(releve("failover", "plan", "crm", "--forced", "--json")[1])
    assert "stop" not in [phase["phase"] for phase in forced["phases"]]
    drill = json.loads(releve("failover", "plan", "crm", "--drill", "--json")[1])
    assert [phase["phase"] for phase in drill["phases"]] == ["announce", "sync", "up", "verify", "down", "report"]
    assert [action["said"] for phase in drill["phases"] for action in phase["actions"]] == [
        "tell operations: Bring it up",
        "tell operations: Tear it down",
    ]
    assert [action["n"] for phase in drill["phases"] for action in phase["actions"]] == [1, 2]


def test_to_where_it_runs_normally_it_is_a_move_back(releve):
    back = json.loads(releve("failover", "plan", "--to", "centre", "--json")[1])
    assert (back["direction"], back["from"]["site"], back["to"]["site"]) == ("failback", "secours", "centre")
    fences = next(phase["fences"] for phase in back["phases"] if phase["phase"] == "fence")
    assert fences == [{"kind": "isolation", "site": "secours", "title": "Yaoundé", "stops_within_s": None}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "crn"], "name one of the plans: crm"),
        (["plan", "crn"], "name one of the plans: crm"),
        (["plan", "--to", "temoin"], "the group can run at these sites: centre, secours"),
        (["plan", "--to", "centre", "--drill"], "the plan does not say how to drill centre: write drill: under it"),
        (["plan", "--forced", "--drill"], "one of these at a time: --forced, --drill"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(releve, arguments, said):
    code, out, err = releve("failover", *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_an_inventory_without_plans_says_so(releve, tmp_path):
    (tmp_path / "inventory.yaml").write_text(SITE.partition("plans:")[0], encoding="utf-8")
    code, _, err = releve("failover", "status")
    assert code == 2
    assert "the inventory has no plan: nothing of it says how a group moves to another site" in err


def test_the_site_where_releve_stands_is_kept_for_every_later_command(releve, tmp_path):
    code, _, err = releve("run", "--once", "--site", "nowhere")
    assert code == 2
    assert "no Relève can stand at nowhere; it can at: centre, secours" in err
    assert not (tmp_path / "data" / "site").exists()
    releve("run", "--once", "--site", "secours")
    assert (tmp_path / "data" / "site").read_text(encoding="utf-8") == "secours\n"
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text(SITE.replace("secours", "ailleurs"), encoding="utf-8")
    code, _, err = releve("failover", "status")
    assert code == 2
    assert "no Relève can stand at secours; it can at: centre, ailleurs. Start it with --site" in err


def receiving(data):
    """Hold what the Relève that receives holds, as long as the returned file is open."""
    place = data / PEER
    place.mkdir(parents=True, exist_ok=True)
    held = (place / LOCK_FILE).open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    return held


def test_a_passive_releve_says_that_what_it_knows_is_old_and_where_to_ask(releve, known, tmp_path):
    known(moves=asking("failover"))
    with receiving(tmp_path / "data"):
        for command in (("status",), ("failover", "status")):
            out = releve(*command)[1]
            assert "This Relève is passive" in out
            assert "starts one" not in out
        todo = releve("status")[1].partition("To do:")[2].split()
    assert todo[-2:] == ["peer", "status"]
    assert "answer" not in todo
    assert "No daemon runs" in releve("status")[1]


def test_a_passive_releve_that_never_was_active_does_not_say_that_a_daemon_makes_its_state(releve, tmp_path):
    with receiving(tmp_path / "data"):
        code, _, err = releve("status")
    assert code == 2
    assert "only receives the state of the other one" in err
    assert "There is no state" in releve("status")[2]
