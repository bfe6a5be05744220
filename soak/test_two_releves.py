"""Every interleaving of two Relèves with two faults, which takes minutes: `tests/failover` looks at fewer."""

from __future__ import annotations

from tests.failover.test_two_releves_explored import explore, never_settled
from tests.failover.two_releves_explored import BEGIN, Rules


def test_one_leads_and_the_other_follows_in_the_end_whatever_two_faults_did() -> None:
    found = explore(Rules(), BEGIN._replace(faults=2, writes=1, orders=1))
    assert never_settled(found, Rules()) == []
