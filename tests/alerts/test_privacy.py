"""What a person writes about a cause, as the client reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.privacy import BLANK, blanked

NAMES = ("hmp", "sql-01", "10.0.0.7", "router.media.local")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Disque D: plein à 100 %, purgé à 14:05", "Disque D: plein à 100 %, purgé à 14:05"),
        ("HMP saturé, le hmpx aussi", "[…] saturé, le hmpx aussi"),
        ("relance de sql-01.", "relance de […]."),
        ("10.0.0.7:1433 refuse; 192.168.1.0/24 aussi", "[…] refuse; […] aussi"),
        ("fe80::1 et 2001:db8::42 muets", "[…] et […] muets"),
        ("voir https://intranet/x?y=1 ou \\\\nas\\audio", "voir […] ou […]"),
        ("écrire à awa@media.example", "écrire à […]"),
        ("MAC 00:1B:44:11:3A:B7 vue", "MAC […] vue"),
        ("srv01.media.local en panne", "[…] en panne"),
        ("version 16.0.4 posée", "version 16.0.4 posée"),
        ("une\nligne\r\nd'une autre", "une ligne d'une autre"),
        ("", ""),
    ],
)
def test_names_and_addresses_are_blanked_and_the_rest_is_left(written, read):
    assert blanked(written, NAMES) == read


@given(st.text(), st.sampled_from(NAMES), st.text())
def test_a_known_name_that_stands_by_itself_never_comes_through(before, name, after):
    assert name not in blanked(f"{before} {name} {after}", NAMES).replace(BLANK, "").split()


@pytest.mark.parametrize("word", ["a", "a-", "a.", "1.", "\\\\", "é", "a+", "f:"])
def test_a_page_of_a_log_is_cut_before_it_is_looked_at(word):
    assert blanked(word * 100_000, NAMES) == BLANK


def test_what_is_too_long_is_cut_between_two_words():
    cause = "disque plein " * 76 + "voir sql-01.media.local"
    read = blanked(cause, NAMES)
    assert read.startswith("disque plein ")
    assert read.endswith(f"voir {BLANK}")
    assert blanked("x" * 995 + " router.media.local", NAMES) == "x" * 995 + f" {BLANK}"
