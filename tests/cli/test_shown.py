"""The pages that people read at night: what is wrong, what to do next, who is told and when, in 80 columns."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from alerts.language import speech
from alerts.notice import NoticeState, Step
from monitor.cli import incident_shown, series_shown, shown, site_shown
from monitor.core.incident import Status
from monitor.core.verdict import Severity

NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
FRENCH, ENGLISH = speech("fr", "Africa/Douala"), speech("en", "Africa/Douala")
HARD = "\N{NO-BREAK SPACE}"
LONG = (
    f"rien n'écoute sur le port UDP 161 de hmp, 0,3{HARD}ms puis 12{HARD}min 4{HARD}s puis 3,8{HARD}Mbit/s puis"
    f" 74{HARD}Go puis 1{HARD}000{HARD}tr/min"
)


def incident(name="26-0003", **changes):
    return {
        "id": name,
        "kind": "link-unstable",
        "severity": "critical",
        "status": "open",
        "title": LONG,
        "began_at": "2026-11-23T02:00:00.000Z",
        "opened_at": "2026-11-23T02:00:30.000Z",
        "disrupted_at": "2026-11-23T02:00:00.000Z",
        "acknowledged_at": None,
        "acknowledged_by": "",
        "acknowledged_until": None,
        "flapping_since": None,
        "recovered_at": None,
        "flaps": 0,
        "maintenance": None,
        "resolved_at": None,
        "root_cause": "fo",
        "suppressed": ["ocm-sip"],
        "cause": "",
        "timeline": [],
        "notices": [],
        "runs": [],
        "actions": [],
        "decisions": [],
        "needs": [],
        "crisis_opened_at": None,
        "attachments": [],
        "roles": {"leader": None, "scribe": None, "liaison": None},
        "next_update_at": "2026-11-23T03:00:00.000Z",
        "next_update_to": ["att"],
        **changes,
    }


def check(name, severity="ok", **changes):
    state = {"latest": severity, "phase": "hard", "since": "2026-11-22T22:10:00.000Z", "summary": LONG}
    state |= {"seen_at": "2026-11-23T02:04:50.000Z", "stale": False, "flapping": False}
    state |= {"stands_by": False}
    return {"check": name, "severity": severity, **state, **changes}


def site(*incidents, checks=(), daemon=True, runs=(), services=(), maintenance=(), on_call=(), overdue=(0, 0)):
    return {
        "services": list(services),
        "maintenance": list(maintenance),
        "on_call": list(on_call),
        "overdue": {"reviews": overdue[0], "actions": overdue[1]},
        "site": "Media Contact Douala",
        "at": "2026-11-23T02:05:00.000Z",
        "severity": "critical",
        "incidents": list(incidents),
        "runs": list(runs),
        "moves": [],
        "checks": list(checks),
        "daemon": {"journal": None} if daemon else None,
    }


def printed(show, *, terminal=True, width=80):
    out = Console(
        file=io.StringIO(), force_terminal=terminal, no_color=True, width=width, highlight=False, markup=False
    )
    if not terminal:
        out.soft_wrap = True
    show(out)
    return out.file.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[2m", "")


def status_page(status, words=FRENCH, **how):
    return printed(lambda out: site_shown.status_page(out, status, words), **how)


def incident_page(one, words=FRENCH, *, daemon=True):
    return printed(lambda out: incident_shown.incident_page(out, one, words, "2026-11-23T02:05:00.000Z", daemon=daemon))


def test_what_stands_by_is_said_to_do_so_behind_all_that_is_wrong():
    checks = (check("web-2", "critical", stands_by=True), check("disk", "warning"))
    out = status_page(site(checks=checks), ENGLISH)
    line = next(line for line in out.splitlines() if "web-2" in line)
    assert "STANDS BY" in line
    assert "CRITICAL" not in line
    assert out.index("disk") < out.index("web-2")


def test_every_state_has_its_word():
    assert set(incident_shown.STEP) == {step.value for step in Step}
    assert set(incident_shown.NOTICE_STATE) == {state.value for state in NoticeState}
    assert set(shown.STATUS) == {status.value for status in Status}
    assert set(shown.SEVERITY) == {severity.word for severity in Severity}
    assert set(shown.WORST_FIRST) == {*shown.SEVERITY, None}


@pytest.mark.parametrize("words", [FRENCH, ENGLISH])
def test_a_page_fits_80_columns_and_breaks_no_figure_from_its_unit(words):
    checks = [check("hermes-login", "critical", phase="soft"), check("hmp-disk", "warning"), check("ups")]
    for page in (
        status_page(site(incident(), incident("26-0002", severity="warning"), checks=checks), words),
        incident_page(incident(), words),
    ):
        lines = page.splitlines()
        assert max(len(line) for line in lines) <= 80
        assert not [(a, b) for a, b in pairwise(lines) if a.rstrip(" ").endswith(HARD)]
        for figure in (f"0,3{HARD}ms", f"3,8{HARD}Mbit/s", f"1{HARD}000{HARD}tr/min"):
            assert page.count(figure) == page.count(figure.partition(HARD)[0] + HARD)
            assert figure in page


def test_in_a_pipe_a_row_is_a_line():
    checks = [check("hermes-login", "critical"), check("ups")]
    lines = status_page(site(incident(), checks=checks), terminal=False).splitlines()
    assert [sum(line.startswith(name) for line in lines) for name in ("26-0003", "hermes-login", "ups")] == [1, 1, 1]


def test_the_end_of_the_page_says_what_to_do_and_who_is_told_next():
    quiet = incident("26-0002", severity="warning", disrupted_at=None, next_update_at=None, next_update_to=[])
    end = status_page(site(quiet, incident())).partition("À faire")[2].replace(HARD, " ").splitlines()
    assert end == [
        " :",
        "  releve incident ack 26-0003",
        "  releve incident show 26-0003",
        "  releve incident ack 26-0002",
        "Prochains messages :",
        "  26-0003 : point d’information à att, 04 h 00, heure de Douala",
        "  26-0002 : à l’exploitation, dès que la situation évolue (pas au client)",
    ]


def test_the_worst_comes_first():
    page = status_page(site(incident("26-0001", severity="warning"), incident("26-0002")))
    assert page.index("26-0002") < page.index("26-0001")


def test_what_interrupts_the_service_comes_before_what_has_been_critical_for_longer():
    older = incident("26-0001", disrupted_at=None, began_at="2026-11-23T01:00:00.000Z")
    graver = incident("26-0002", disrupted_at=None)
    page = status_page(site(older, graver, incident("26-0003", severity="warning")), ENGLISH)
    assert page.index("26-0003") < page.index("26-0001") < page.index("26-0002")
    assert page.index("releve incident ack 26-0003") < page.index("releve incident show 26-0003")
    assert "releve incident show 26-0001" not in page


WORK = {
    "id": "new-fibre", "title": "Neue Faser", "kind": "link-unstable", "reason": "by the operator", "nodes": ["fo"],
    "checks": [], "concerned": 2, "by": "awa", "from": "2026-11-23T01:00:00.000Z", "until": "2026-11-23T04:00:00.000Z",
    "active": True, "coming": False, "recurring": False,
}  # fmt: skip


def test_an_incident_of_announced_work_says_until_when_by_whom_and_how_to_end_it():
    one = incident(maintenance="new-fibre", status="acknowledged")
    page = printed(
        lambda out: incident_shown.incident_page(out, one, ENGLISH, "2026-11-23T02:05:00.000Z", work=WORK)
    ).replace(HARD, " ")
    said = " ".join(page.split())
    assert "new-fibre (Neue Faser), planned end: 05:00 (awa: by the operator)" in said
    assert "Cause announced maintenance" in said
    assert "  releve maintenance end new-fibre" in page
    assert "incident cause" not in page
    over = {**WORK, "active": False}
    assert "maintenance end" not in " ".join(incident_shown.commands_about(one, work=over))


def test_times_are_the_sites_with_the_day_only_when_it_is_another():
    page = status_page(site(incident(), checks=[check("ups", "warning")])).replace(HARD, " ")
    assert "Media Contact Douala, 03 h 05, heure de Douala" in page
    assert "22/11/2026" in page
    assert "23/11/2026" not in page


def test_an_incident_that_goes_on_lasts_until_now():
    assert f"5{HARD}min" in status_page(site(incident()))


def test_without_a_daemon_the_page_says_that_nobody_is_told():
    end = status_page(site(incident(), daemon=False)).partition("À faire")[2]
    assert shown.start_command() in end.splitlines()[1]
    assert "aucun ne part" in end
    assert "att" not in end


def test_a_site_that_nobody_has_seen_yet_is_not_called_well():
    unseen = {**site(checks=[check("ups", None, phase=None, since=None, summary=None)]), "severity": "ok"}
    assert "pas encore vu" in status_page(unseen).splitlines()[0]


def line(kind, text, actor="releve", **data):
    return {"at": "2026-11-23T02:01:00.000Z", "kind": kind, "actor": actor, "text": text, "data": data}


def test_the_page_of_an_incident_tells_its_story():
    timeline = [
        line("opened", "coupée", check="fo"),
        line("disrupted", "Le service du client est interrompu", check="fo"),
        line("covered", "muet", check="ocm-sip"),
        line("cause", "une pelleteuse", actor="uid:0"),
    ]
    page = incident_page(incident(timeline=timeline)).replace(HARD, " ")
    for told in (
        "03:01:00  Relève  fo : coupée",
        "03:01:00  Relève  Le service du client",
        "ocm-sip : muet (par contrecoup, non signalé à part)",
        "03:01:00  root    Cause : une pelleteuse",
        "03 h 00, heure de Douala",
    ):
        assert told in page


def test_whom_no_message_reached_is_tried_again():
    refused = {"step": "update", "recipient": "att", "channel": "mail", "state": "dead", "answer": "550 no"}
    notice = {**refused, "due_at": "2026-11-23T02:01:00.000Z", "sent_at": None}
    commands = incident_shown.commands_about(incident(notices=[notice, notice]))
    assert commands == ["releve incident ack 26-0003", "releve notify test att", "releve check fo"]


def test_a_message_that_has_not_left_is_named_before_the_next_one():
    waits = {"step": "first_notice", "recipient": "att", "channel": "mail", "state": "pending", "answer": "refused"}
    notice = {**waits, "due_at": "2026-11-23T02:01:00.000Z", "sent_at": None}
    page = incident_page(incident(notices=[notice])).replace(HARD, " ")
    assert page.index("premier avis à att pas encore parti") < page.index("point d’information à att, 04 h 00")
    assert "releve notify test att" in page


def test_what_no_check_ends_is_ended_by_hand():
    commands = incident_shown.commands_about(incident(root_cause=None, status="acknowledged", cause="seen"))
    assert commands == ['releve incident resolve 26-0003 "..."', "releve incident draft edit 26-0003"]


def test_the_own_checks_of_releve_are_no_checks_to_run():
    assert not [one for one in incident_shown.commands_about(incident(root_cause="releve-outbox")) if "check" in one]


def test_after_the_end_there_is_nothing_to_do_but_the_cause():
    over = incident(status="resolved", resolved_at="2026-11-23T02:04:00.000Z", next_update_at=None)
    assert incident_shown.commands_about(over) == ['releve incident cause 26-0003 "..."']
    assert "aucun, sauf rechute" in incident_page(over)
    assert "To do: nothing." in incident_page({**over, "cause": "a digger"}, ENGLISH)


def service(title="agents en mesure d’appeler", able=62, unsure=0, total=100, *, interrupted=False):
    return {
        "name": "agents",
        "title": title,
        "able": able,
        "unsure": unsure,
        "total": total,
        "interrupted": interrupted,
    }


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (service(), "Agents en mesure d’appeler  62 of 100  REDUCED"),
        (service(able=100), "Agents en mesure d’appeler  100 of 100  OK"),
        (service(able=0, interrupted=True), "Agents en mesure d’appeler  0 of 100  INTERRUPTED"),
        (service(able=92, unsure=8), "Agents en mesure d’appeler  92 to 100 of 100 (8 not visible)  NOT VISIBLE"),
        (service(able=62, unsure=8), "Agents en mesure d’appeler  62 to 70 of 100 (8 not visible)  REDUCED"),
    ],
)
def test_the_status_begins_with_what_the_services_are_able_to_do(one, line):
    page = status_page(site(incident(), services=[one]), ENGLISH)
    assert [word.rstrip() for word in page.splitlines()[1:2]] == [line]


def test_a_check_without_results_is_stale_since_its_last_one_whatever_it_said_then():
    checks = [
        check("door", stale=True, seen_at="2026-11-23T01:00:00.000Z", summary="open"),
        check("gate", "critical", stale=True, summary="shut"),
        check("room", "warning", summary="hot"),
    ]
    rows = status_page(site(checks=checks), ENGLISH).partition("What it says")[2].splitlines()
    assert [" ".join(row.split()) for row in rows[1:4]] == [
        "gate STALE (CRITICAL) 03:04 shut",
        "door STALE 02:00 open",
        "room WARNING 2026-11-22 hot",
    ]


def test_a_stale_check_is_looked_at_by_hand_unless_it_is_our_own():
    assert "releve check door" in status_page(site(checks=[check("door", stale=True)]), ENGLISH)
    assert "releve check" not in status_page(site(checks=[check("releve-store", stale=True)]), ENGLISH)


def test_a_check_and_an_incident_that_come_and_go_say_so():
    wavers = incident(flapping_since="2026-11-23T02:02:00.000Z", next_update_at=None, title="cut", disrupted_at=None)
    page = status_page(site(wavers, checks=[check("fo", "critical", flapping=True)]), ENGLISH, width=200)
    assert page.count("CRITICAL (comes and goes)") == 2
    assert "26-0003: to operations when it is over for good, or worse (it comes and goes)" in page
    assert "Comes and goes     since 03:02, Douala time" in incident_page(wavers, ENGLISH)
    over = incident(status="resolved", flapping_since="2026-11-23T02:02:00.000Z", resolved_at="2026-11-23T02:04:00Z")
    assert "(comes and goes)" not in printed(lambda out: out.print(shown.incident_table([over], ENGLISH, NOW)))


@pytest.mark.parametrize(
    ("suppressed", "said"),
    [([], "fo: cut\n"), (["a"], "fo: cut; 1 check suppressed\n"), (["a"] * 27, "fo: cut; 27 checks suppressed\n")],
)
def test_an_incident_is_listed_with_its_cause_and_how_much_it_explains(suppressed, said):
    one = incident(title="cut", suppressed=suppressed)
    page = printed(lambda out: out.print(shown.incident_table([one], ENGLISH, NOW)), width=160)
    assert said in page.replace(" \n", "\n").replace(" \n", "\n")


def test_what_is_being_verified_is_not_shown_as_if_it_still_failed():
    one = incident(root_cause="fo", title="the link is down", recovered_at="2026-11-23T02:04:00.000Z")
    page = status_page(site(one), ENGLISH, terminal=False)
    assert "fo: the link is down; gone, being verified; 1 check suppressed" in page
    assert "Being verified     the root cause is gone since 03:04, Douala time" in incident_page(one, ENGLISH)
    over = {**one, "status": "resolved", "resolved_at": "2026-11-23T02:05:00.000Z"}
    assert "being verified" not in incident_page(over, ENGLISH).lower()


def test_who_is_on_it_for_a_time_is_shown_with_the_end_of_it():
    taken = incident(
        status="acknowledged", acknowledged_until="2026-11-23T04:00:00.000Z", acknowledged_at="2026-11-23T02:00:00.000Z"
    )
    assert "acknowledged until 05:00" in status_page(site(taken), ENGLISH, width=160)
    assert "Acknowledged until  05:00, Douala time" in incident_page(taken, ENGLISH)


def work(name="fibre", **changes):
    return {
        "id": name, "title": name, "kind": "", "reason": "", "nodes": ["fo"], "checks": [], "concerned": 27, "by": "",
        "from": "2026-11-23T01:00:00.000Z", "until": "2026-11-23T05:00:00.000Z", "active": True, "coming": False,
        "recurring": False, **changes,
    }  # fmt: skip


def test_work_that_goes_on_and_the_next_are_shown_and_no_more():
    works = [
        work(),
        work("radio", active=False, coming=True, kind="link-unstable", by="uid:0", reason="new mast"),
        work("later", active=False, coming=True),
        work("past", active=False),
    ]
    page = status_page(site(maintenance=works), ENGLISH, width=160)
    assert re.search(r"fibre +going on +02:00 +06:00 +fo +nothing +inventory", page)
    assert re.search(r"radio +to come .* link-unstable +root: new mast", page)
    assert not re.search("later|past", page)


def test_who_is_told_next_unless_somebody_acknowledges_is_said_where_that_is_sooner():
    one = incident(next_escalation_at="2026-11-23T02:20:00.000Z", next_escalation_to=["ben", "boss"])
    said = shown.told_next(one | {"next_update_at": None}, ENGLISH, NOW)
    assert said == f"{one['id']}: to ben, boss if nobody acknowledges it, 03:20, Douala time"
    sooner = one | {"next_update_at": "2026-11-23T02:10:00.000Z", "next_update_to": ["att"]}
    assert "update to att" in shown.told_next(sooner, ENGLISH, NOW)


def test_who_is_on_duty_is_said_in_a_line_a_rota():
    spell = {"contact": "awa", "name": "Awa", "from": None, "until": "2026-11-30T07:00:00.000Z"}
    ben = {"contact": "ben", "name": "Ben", "from": spell["until"], "until": None}
    duty = [{"rota": "duty", **spell, "next": ben, "spells": []}, {"rota": "night", **ben, "next": None, "spells": []}]
    page = status_page(site(on_call=duty), ENGLISH, width=160)
    assert "On duty (duty): Awa until 2026-11-30 08:00, then Ben.\n" in page
    assert "On duty (night): Ben.\n" in page


def test_the_timeline_says_what_happened_where_the_check_only_says_what_it_saw():
    timeline = [line("flapping", "timed out", check="fo"), line("steady", "answers", check="fo")]
    page = incident_page(incident(timeline=timeline), ENGLISH)
    assert "fo: It comes and goes: timed out" in page
    assert "fo: It is steady again: answers" in page


SERIES = [
    {"metric": "rtt", "unit": "ms", "samples": [["2026-11-23T02:00:00.000Z", 0.5], ["2026-11-23T02:01:00Z", 1.25]]}
]


def test_french_csv_opens_in_excel():
    assert series_shown.as_csv(SERIES, FRENCH).splitlines() == [
        "\ufeffheure;mesure;valeur;unité",
        "23/11/2026 03:00:00;rtt;0,5;ms",
        "23/11/2026 03:01:00;rtt;1,25;ms",
    ]


def test_english_csv_is_for_programs():
    assert series_shown.as_csv(SERIES, ENGLISH).splitlines() == [
        "time,metric,value,unit",
        "2026-11-23T03:00:00+0100,rtt,0.5,ms",
        "2026-11-23T03:01:00+0100,rtt,1.25,ms",
    ]


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("words", [FRENCH, ENGLISH], ids=["French", "English"])
@given(said=st.text("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20,;\"' abc", min_size=1, max_size=8))
def test_what_a_device_says_is_no_formula_in_a_spreadsheet_of_whichever_language(words, separator, said):
    series = [{"metric": said, "unit": said, "samples": [["2026-11-23T02:00:00.000Z", -3.5]]}]
    written = series_shown.as_csv(series, words).removeprefix("\ufeff")
    cells = [cell for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator) for cell in row]
    formulas = [cell for cell in cells if cell.strip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))]
    assert set(formulas) <= {"-3.5", "-3,5", "-3"}


def test_a_number_below_zero_stays_a_number_and_a_name_like_any_other_stays_as_it_is():
    series = [{"metric": "rsl.FH-1", "unit": "dBm", "samples": [["2026-11-23T02:00:00.000Z", -42.0]]}]
    assert series_shown.as_csv(series, ENGLISH).splitlines()[1] == "2026-11-23T03:00:00+0100,rsl.FH-1,-42,dBm"


def test_a_curve_has_the_sites_times_and_the_languages_numbers():
    drawn = series_shown.as_plot(SERIES, FRENCH)
    for word in ("03:00:00", "03:01:00", f"1,25{HARD}ms", f"0,5{HARD}ms", "23/11/2026"):
        assert word in drawn


@pytest.mark.parametrize("samples", [1, 2, 500])
def test_a_curve_is_drawn_of_any_number_of_samples(samples):
    flat = [[f"2026-11-{1 + day // 24:02}T{day % 24:02}:00:00.000Z", 3.0] for day in range(samples)]
    assert "rtt" in series_shown.as_plot([{"metric": "rtt", "unit": "", "samples": flat}], ENGLISH)


def test_a_series_is_summed_up_in_a_line():
    page = printed(lambda out: out.print(series_shown.series_table(SERIES, FRENCH, NOW)))
    assert f"0,5{HARD}ms" in page
    assert f"03{HARD}h{HARD}01" in page
    assert max(len(line) for line in page.splitlines()) <= 80


def a_run(**changes):
    question = {"text": "Continuer ?", "action": 1, "at": "2026-11-23T02:01:00.000Z"}
    started = {"at": "2026-11-23T02:01:00.000Z", "kind": "started", "actor": "releve", "text": "début", "action": None}
    return {
        "id": "R26-0001", "runbook": "restart-service", "subject": "onnet", "incident": None, "state": "waiting",
        "started_at": "2026-11-23T02:01:00.000Z", "question": question, "log": [started], **changes,
    }  # fmt: skip


def test_a_repair_that_goes_on_stands_in_the_status_and_its_question_goes_before_all_else():
    page = status_page(site(incident(), runs=[a_run()]), width=160)
    assert "attend une réponse" in page
    assert "Continuer ?" in page
    todo = page.partition("À faire")[2]
    assert todo.index("approve R26-0001") < todo.index("refuse R26-0001") < todo.index("ack 26-0003")
    going = status_page(site(incident(), runs=[a_run(state="running", question=None)]), width=160)
    assert "début" in going
    assert "approve" not in going


def test_how_far_a_message_came_is_shown_with_the_copy_that_followed():
    def page(copy):
        steps = enumerate(("due", "queued", "handed_over", "accepted"))
        at = {f"{name}_at": f"2026-11-23T02:01:0{n}.000Z" for n, name in steps}
        told = {"step": "first_notice", "recipient": "att", "channel": "sms", "state": "sent", "answer": "taken", **at}
        one = incident(notices=[{**told, "copy": copy}])
        now = "2026-11-23T02:05:00.000Z"
        return printed(lambda out: incident_shown.incident_page(out, one, ENGLISH, now), width=160).splitlines()

    copy = {"channel": "mail", "accepted_at": "2026-11-23T02:04:00.000Z", "answer": "250 2.0.0 queued"}
    first, second = (line for line in page(copy) if "taken" in line or "250 2.0.0" in line)
    assert re.findall(r"\d\d:0\d:0\d", first) == ["03:01:00", "03:01:01", "03:01:02", "03:01:03"]
    assert "copy by mail" in second
    assert "03:04:00" in second
    refused = page({**copy, "accepted_at": None, "answer": "550 no"})
    assert "refused" in next(line for line in refused if "550 no" in line)


def test_reviews_and_actions_that_are_overdue_are_counted_with_how_to_see_them():
    assert "overdue" not in status_page(site(), ENGLISH)
    page = status_page(site(overdue=(2, 1)), ENGLISH, width=200)
    assert "Reviews overdue: 2 (`releve incident review list`)" in page
    assert "actions late: 1 (`releve incident action list --open`)" in page
    assert "Actions late: 3" in status_page(site(overdue=(0, 3)), ENGLISH, width=200)
