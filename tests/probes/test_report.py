"""A result for machines: the contract's JSON and the Monitoring Plugins' line."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.text import ENGLISH, Quantity, say, verbatim
from monitor.core.thresholds import Range, parse_range
from monitor.core.verdict import Metric, Severity, Verdict
from probes.report import NAGIOS, nagios_line, perfdata, result_json
from probes.runner import Result

AT = datetime(2026, 11, 23, 3, 0, 1, 250_000, tzinfo=UTC)
# Monitoring Plugins Development Guidelines, "Performance data".
PERFDATA = re.compile(
    r"'(?:[^'=]|'')+'=(?:-?\d+(?:\.\d+)?(?:us|ms|s|%|B)?|U)(?:;[-@~:.\d]*(?:;[-@~:.\d]*(?:;-?[.\d]*(?:;-?[.\d]*)?)?)?)?"
)


def test_a_result_is_written_as_the_contract_says():
    rtt = Metric("rtt", 12.5, "ms", parse_range("200"), parse_range("10:"), 0)
    verdict = Verdict(Severity.WARNING, say("slow: {n}", n=Quantity(3, "%")), (rtt,), {"method": "tcp"})
    assert result_json("wan", "ping", "router", Result(verdict, AT, 0.8042), ENGLISH) == {
        "check": "wan",
        "kind": "ping",
        "device": "router",
        "severity": "warning",
        "summary": "slow: 3%",
        "metrics": [
            {
                "name": "rtt",
                "value": 12.5,
                "unit": "ms",
                "warning": "200",
                "critical": "10:",
                "minimum": 0,
                "maximum": None,
            }
        ],
        "facts": {"method": "tcp"},
        "started_at": "2026-11-23T03:00:01.250Z",
        "elapsed_ms": 804.2,
    }


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Metric("rtt", 12.5, "ms"), "'rtt'=12.5ms"),
        (Metric("rtt", 12.5, "ms", parse_range("200"), parse_range("500"), 0), "'rtt'=12.5ms;200;500;0"),
        (Metric("used", 91, "%", parse_range("80"), None, 0, 100), "'used'=91%;80;;0;100"),
        (Metric("free", 4e12, "By", parse_range("1e12:")), "'free'=4000000000000B;1000000000000:"),
        (Metric("rate_in", 3.8e6, "bit/s"), "'rate_in'=3800000"),
        (Metric("rx_power", -21.4, "dBm", parse_range("~:-10")), "'rx_power'=-21.4;~:-10"),
        (Metric("humidity", 55, "%", parse_range("@10:20")), "'humidity'=55%;@10:20"),
        (Metric("used.C:\\ it's", 1, "%"), "'used.C:\\ it''s'=1%"),
        (Metric("a=b", 1, ""), "'a_b'=1"),
        (Metric("rtt", math.nan, "ms"), "'rtt'=U"),
    ],
)
def test_a_figure_is_written_as_the_plugin_guidelines_say(metric, expected):
    assert perfdata(metric) == expected


@pytest.mark.parametrize(
    ("severity", "code"),
    [(Severity.OK, 0), (Severity.WARNING, 1), (Severity.CRITICAL, 2), (Severity.UNKNOWN, 3)],
)
def test_the_exit_code_of_a_plugin_ranks_unknown_last(severity, code):
    assert NAGIOS[severity] == code


def test_the_line_holds_one_bar_and_no_line_end():
    verdict = Verdict(Severity.CRITICAL, verbatim("bad|worse\nworst"), (Metric("a", 1, ""), Metric("b", 2, "s")))
    assert nagios_line("tcp", verdict, ENGLISH) == "TCP CRITICAL - bad/worse worst | 'a'=1 'b'=2s"
    assert nagios_line("tcp", Verdict(Severity.OK, verbatim("fine")), ENGLISH) == "TCP OK - fine"


figures = st.floats(allow_nan=True, allow_infinity=True)
names = st.text(st.characters(blacklist_categories=("Cs", "Zs", "Zl", "Zp", "Cc")), min_size=1, max_size=20)
ranges = st.one_of(
    st.none(), st.builds(lambda a, b, i: Range(min(a, b), max(a, b), i), st.floats(-1e9, 1e9), st.floats(-1e9, 1e9),
                         st.booleans())
)  # fmt: skip


@given(names, figures, st.sampled_from(["ms", "%", "By", "bit/s", "{call}", ""]), ranges, ranges, figures, figures)
def test_every_figure_can_be_written_both_ways(name, value, unit, warning, critical, minimum, maximum):
    metric = Metric(name, value, unit, warning, critical, minimum, maximum)
    assert PERFDATA.fullmatch(perfdata(metric))
    result = Result(Verdict(Severity.OK, say("x"), (metric,)), AT, 0.1)
    json.dumps(result_json("c", "k", "d", result, ENGLISH), allow_nan=False)
