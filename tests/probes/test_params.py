"""Thresholds in milliseconds: a duration is read in the unit of its metric."""

from __future__ import annotations

import pytest

from monitor.core.thresholds import parse_range
from probes.params import Params, ParamsMs


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
