"""What counts as lost: by the letters that arrived and the notices that were written."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from lab.endurance import GAP, lost
from lab.mailbox import Letter

AT = datetime(2026, 11, 23, tzinfo=UTC)


def letter(key: str, text: str = "", identity: str = "", after: float = 0) -> Letter:
    message = EmailMessage()
    message["X-Releve-Key"] = key
    at = AT + timedelta(seconds=after)
    return Letter(at, "att@example.org", "", identity or f"{key}@id", text, message)


def notice(key: str, state: str = "sent") -> dict[str, str]:
    return {"key": key, "state": state}


FIRST, TWO, THREE, FOUR = "1/client/first_notice/1/att", *(f"1/client/update/{n}/att" for n in (2, 3, 4))
STANDS_FOR_ONE = f"Still interrupted.\n{GAP}04:38. This message stands for them.\n"


@pytest.mark.parametrize(
    ("letters", "notices", "wrong"),
    [
        ([letter(FIRST), letter(TWO)], [notice(FIRST), notice(TWO)], []),
        ([letter(TWO), letter(TWO, after=3)], [notice(TWO)], []),
        ([letter(TWO), letter(TWO, after=0.5)], [notice(TWO)], [f"{TWO} came again without a kill in between"]),
        (
            [letter(TWO), letter(TWO, after=4), letter(TWO, after=5)],
            [notice(TWO)],
            [f"{TWO} came again without a kill in between"],
        ),
        (
            [letter(TWO), letter(FOUR, STANDS_FOR_ONE)],
            [notice(TWO), notice(THREE, "skipped"), notice(FOUR)],
            [],
        ),
        ([letter(FIRST)], [notice(FIRST), notice(TWO)], [f"{TWO} is sent and never arrived"]),
        ([letter(TWO)], [notice(TWO), notice(THREE, "pending")], [f"{THREE} is pending at the end"]),
        ([letter(TWO), letter(THREE)], [notice(TWO)], [f"{THREE} arrived and nobody wrote it"]),
        ([letter(TWO), letter(TWO, "other", after=3)], [notice(TWO)], [f"{TWO} arrived in two versions"]),
        ([letter(TWO), letter(TWO, "", "x@y", after=3)], [notice(TWO)], [f"{TWO} arrived in two versions"]),
        (
            [letter(TWO, "", "x@y"), letter(THREE, "", "x@y")],
            [notice(TWO), notice(THREE)],
            ["two notices share a Message-ID"],
        ),
        (
            [letter(TWO), letter(FOUR)],
            [notice(TWO), notice(THREE, "skipped"), notice(FOUR)],
            ["1 updates were skipped and 0 were named in later messages"],
        ),
        ([letter(TWO), letter(FOUR)], [notice(TWO), notice(FOUR)], ["nothing is known of the updates [3]"]),
        ([letter(FIRST)], [notice(FIRST)], ["there was no update at all"]),
    ],
)
def test_each_way_of_losing_a_notice_has_its_words(letters, notices, wrong):
    assert lost(letters, notices, [AT + timedelta(seconds=2)]) == wrong
