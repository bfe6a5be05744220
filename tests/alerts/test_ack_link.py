"""A link acknowledges what it was made for, and nothing can be changed in it."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.ack_link import LONGEST_TOKEN, BadToken, Claim, link_of, read_token, token_of
from monitor.core.answer import Stage
from monitor.core.ids import IncidentId

KEY, OTHER = b"k" * 32, b"o" * 32
CLAIM = Claim(IncidentId("26-0001"), Stage(1, 0), "admin", datetime(2026, 11, 24, 2, 0, tzinfo=UTC))

claims = st.builds(
    Claim,
    st.integers(1, 10**6).map(lambda n: IncidentId(f"26-{n:04}")),
    st.builds(Stage, st.integers(1, 999), st.integers(0, 999)),
    st.text(min_size=1, max_size=60).filter(lambda name: name.isprintable()),
    st.integers(0, 2**32).map(lambda at: datetime.fromtimestamp(at, UTC)),
)


@given(claims)
def test_a_token_says_what_it_was_made_of_and_needs_no_quoting(claim):
    token = token_of(claim, KEY)
    assert read_token(token, KEY) == claim
    assert token.isascii() and not set(token) & set("/?#%+=& ")


@given(claims, st.data())
def test_a_token_in_which_one_sign_differs_is_refused(claim, data):
    token = token_of(claim, KEY)
    at = data.draw(st.integers(0, len(token) - 1))
    sign = data.draw(st.sampled_from("ABCXYZabcxyz0189-_.").filter(lambda one: one != token[at]))
    with pytest.raises(BadToken):
        read_token(token[:at] + sign + token[at + 1 :], KEY)


@given(claims, st.data())
def test_a_token_that_was_cut_is_refused(claim, data):
    token = token_of(claim, KEY)
    with pytest.raises(BadToken):
        read_token(token[: data.draw(st.integers(0, len(token) - 1))], KEY)


@given(st.text(max_size=80))
def test_whatever_is_no_token_is_refused(text):
    with pytest.raises(BadToken):
        read_token(text, KEY)


@pytest.mark.parametrize("key", [OTHER, b""])
def test_a_token_signed_with_another_key_is_refused(key):
    with pytest.raises(BadToken):
        read_token(token_of(CLAIM, KEY), key)


def test_nothing_is_believed_where_there_is_no_key():
    with pytest.raises(BadToken):
        read_token(token_of(CLAIM, b""), b"")


def test_a_token_without_end_is_not_looked_at():
    with pytest.raises(BadToken):
        read_token("A" * (LONGEST_TOKEN + 1), KEY)


@pytest.mark.parametrize("base", ["https://noc.example.org", "https://noc.example.org/", "https://x.org/releve"])
def test_a_link_lies_below_the_base_of_the_site(base):
    link = link_of(CLAIM, KEY, base)
    assert link.startswith(base.rstrip("/") + "/ack/")
    assert read_token(urlsplit(link).path.rpartition("/")[2], KEY) == CLAIM
