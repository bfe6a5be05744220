"""How tests are spread over workers: nothing is lost, what shares things stays together, and no stretch ends long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.spreading import FEW, WHOLE, parts, spread

MODULES = st.sampled_from(
    [
        "tests/core/test_a.py",
        "tests/alerts/test_b.py",
        "tests/real/test_c.py",
        "tests/real/test_d.py",
        *FEW,
        WHOLE[1],
    ]
)
PATHS = st.lists(st.tuples(MODULES, st.integers(1, 30))).map(lambda runs: [path for path, n in runs for _ in range(n)])


@given(PATHS, st.integers(1, 8))
def test_every_test_is_taken_once_whatever_the_number_of_workers(paths: list[str], workers: int) -> None:
    assert sorted(spread(paths, workers)) == list(range(len(paths)))


@given(PATHS, st.integers(1, 8))
def test_long_tests_of_a_module_that_shares_things_stay_together(paths: list[str], workers: int) -> None:
    order = spread(paths, workers)
    for part in parts(paths):
        if part.long:
            first = order.index(part.members[0])
            assert tuple(order[first : first + len(part.members)]) == part.members


def test_each_worker_has_its_share_of_long_tests_and_ends_with_short_ones() -> None:
    paths = [f"tests/core/test_{n}.py" for n in range(600)] + [f"tests/real/test_{n}.py" for n in range(60)]
    order, stretch = spread(paths, 6), 110
    for worker in range(6):
        taken = [paths[n].startswith(WHOLE) for n in order[worker * stretch : (worker + 1) * stretch]]
        assert sum(taken) == 10
        assert not any(taken[-30:])
