"""One SMS holds 160 septets of one alphabet, and nobody pays for two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.gsm import BASIC, EXTENDED, LIMIT, cut, plain, septets


def test_the_alphabet_has_the_size_that_the_standard_gives_it():
    """3GPP TS 23.038, 6.2.1: 128 codes, one of which is the escape to the extension table (ten signs here)."""
    assert len(BASIC) == 127
    assert len(EXTENDED) == 10
    assert not BASIC & EXTENDED


@pytest.mark.parametrize(
    ("text", "taken"),
    [("", 0), ("Releve", 6), ("Relève", 6), ("[26]", 6), ("€", 2), ("ê", None), ("œ", None), ("\u00a0", None)],
)
def test_septets_count_the_escape_of_the_extension(text, taken):
    assert septets(text) == taken


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Coupure d’électricité", "Coupure d'électricité"),
        ("Prêt, où ça ? Noël", "Pret, où ca ? Noel"),
        ("14\u00a0h\u00a005 - 3,8\u202fMbit/s", "14 h 05 - 3,8 Mbit/s"),
        ("cœur «\u00a0FO\u00a0» …", 'coeur " FO " ...'),
        ("日本", "??"),
        ("a\nb\tc", "a b c"),
    ],
)
def test_other_letters_lose_their_accent(text, shown):
    assert plain(text) == shown


@given(st.text(max_size=400), st.integers(0, LIMIT))
def test_a_cut_text_fits_and_is_of_the_alphabet(text, limit):
    taken = septets(cut(text, limit))
    assert taken is not None
    assert taken <= limit


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("Data link cut or unstable (fo)", 29, "Data link cut or unstable..."),
        ("Data link cut or unstable", 20, "Data link cut or..."),
        ("Verbindungsunterbrechung", 12, "Verbindun..."),
        ("on Verbindungsunterbrechung", 22, "on Verbindungsunter..."),
    ],
)
def test_what_is_cut_ends_with_a_word_unless_the_word_is_long(text, limit, kept):
    assert cut(text, limit) == kept


@given(st.text(alphabet=sorted(BASIC - set("\n\r ")), max_size=LIMIT))
def test_what_fits_is_left_alone(text):
    assert cut(text) == text
