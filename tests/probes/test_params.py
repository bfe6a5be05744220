"""Thresholds in milliseconds: a duration is read in the unit of its metric."""

from __future__ import annotations

import pytest

from monitor.core.thresholds import parse_range
from probes.params import Limits, Params, ParamsMs


@pytest.mark.parametrize(
    ("written", "ms", "seconds"),
    [("200ms", "200", "0.2"), ("1 s", "1000", "1"), (200, "200", "200"), ("100ms:0.5s", "100:500", "0.1:0.5"),
     ("@1s:2s", "@1000:2000", "@1:2"), ("80%", "80", "80"), ("~:1s", "~:1000", "~:1")],
)  # fmt: skip
def test_a_duration_is_read_in_the_unit_of_its_metric(written, ms, seconds):
    assert ParamsMs.model_validate({"warning": written}).warning == parse_range(ms)
    assert Params.model_validate({"warning": written}).warning == parse_range(seconds)
    named = ParamsMs.model_validate({"thresholds": {"rtt": {"critical": written}}})
    assert named.limits("rtt").critical == parse_range(ms)


@pytest.mark.parametrize("written", [True, [1], {"a": 1}, "fast", "10 parsecs"])
def test_what_is_no_threshold_is_refused(written):
    with pytest.raises(ValueError, match="validation error"):
        ParamsMs.model_validate({"warning": written})


@pytest.mark.parametrize(
    ("written", "ms", "seconds"),
    [("5%", 5, 5), ("20ms", 20, 0.02), ("1 s", 1000, 1), (3, 3, 3), (0.5, 0.5, 0.5), ("2 dB", 2, 2), ("-0", 0, 0),
     ("1.5 Cel", 1.5, 1.5), ("64 kB", 64000, 64000), ("512 kbit/s", 512000, 512000)],
)  # fmt: skip
def test_a_margin_is_written_like_the_threshold_that_it_belongs_to(written, ms, seconds):
    assert ParamsMs.model_validate({"hysteresis": written}).hysteresis == ms
    assert Params.model_validate({"hysteresis": written}).hysteresis == seconds
    named = ParamsMs.model_validate({"thresholds": {"rtt": {"hysteresis": written}}})
    assert named.limits("rtt").hysteresis == ms


@pytest.mark.parametrize("written", [True, [1], {"a": 1}, "fast", "", "80%:", "5:10", "nan", "inf", "-5%", -1, "~"])
def test_what_is_no_margin_is_refused(written):
    for model in (Params, ParamsMs):
        with pytest.raises(ValueError, match="margin"):
            model.model_validate({"hysteresis": written})


def test_a_metric_has_the_margin_of_its_own_name_else_that_of_the_first():
    params = Params.model_validate({
        "warning": "80%", "hysteresis": "5%", "thresholds": {"free": {"warning": "1 GB:", "hysteresis": "100 MB"}},
    })  # fmt: skip
    assert params.metric("used", 81, "%", first=True).margin == 5
    assert params.metric("free", 1e9, "By").margin == 1e8
    assert params.metric("free.D", 1e9, "By").margin == 1e8
    assert params.metric("size", 1e9, "By").margin == 0


def test_a_margin_holds_for_the_thresholds_that_a_probe_brings_too():
    usual = Limits(warning=parse_range("50:"), hysteresis=2)
    params = Params.model_validate({"thresholds": {"charge": {"hysteresis": "5%"}}})
    metric = params.metric("charge", 49, "%", first=True, default=usual)
    assert (metric.warning, metric.margin) == (parse_range("50:"), 5)
    assert Params().metric("charge", 49, "%", default=usual).margin == 2
    none = Params.model_validate({"hysteresis": 0})
    assert none.metric("charge", 49, "%", first=True, default=usual).margin == 0
