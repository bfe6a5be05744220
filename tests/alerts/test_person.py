"""Who acted, in words for people."""

import pytest

from alerts.context import person


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        ("uid:0", "root"),
        ("uid:4294967", "uid:4294967"),
        ("uid:99999999999999999999", "uid:99999999999999999999"),
        ("uid:x", "uid:x"),
        ("releve", "releve"),
        ("0", "0"),
    ],
)
def test_an_account_has_a_name_and_anybody_else_stays_as_recorded(actor, name):
    assert person(actor) == name
