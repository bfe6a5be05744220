"""A regular expression is searched for within a time, whatever a device says."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from runbooks.contract import StepFailed
from runbooks.matching import MOST_SEARCHED, Pattern, matches


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^state: (up|on)$", "a\nstate: up\nb", True),
        (r"^state: (up|on)$", "a\nstate: upper\nb", False),
        (r"é+", "l'été", True),
        (r"\Zx", "", False),
        (r"^first", "first" + "." * MOST_SEARCHED, False),
        ("\ud83d?x", "\udc00x", True),
    ],
)
async def test_it_is_found_or_not(pattern: str, text: str, *, found: bool):
    assert await matches(pattern, text) is found


async def test_a_search_without_end_is_given_up():
    with pytest.raises(StepFailed, match="took longer"):
        await matches(r"^(a+)+$", "a" * 40 + "b", within=0.5)


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "", "x" * 501, "(?P<n>x)(?P<n>y)"])
def test_what_is_no_pattern_is_refused(pattern: str):
    with pytest.raises(ValidationError):
        TypeAdapter(Pattern).validate_python(pattern)
