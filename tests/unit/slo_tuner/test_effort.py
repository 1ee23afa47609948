"""How long points last: enough requests of a slow server, no more time than needed of a fast one."""

import pytest

from slo_tuner.measurement.effort import EFFORTS


@pytest.mark.parametrize(
    ("effort", "rate", "search_s", "repeat_s"),
    [
        ("full", 10.0, 30.0, 30.0),
        ("full", 5000.0, 2.0, 15.0),
        ("full", 0.1, 200.0, 200.0),
        ("quick", 10.0, 10.0, 10.0),
        ("smoke", 2.0, 1.0, 1.0),
        ("quick", 5000.0, 2.0, 8.0),
        ("brisk", 1000.0, 2.0, 5.0),
        ("brisk", 20000.0, 1.0, 5.0),
    ],
)
def test_a_point_lasts_as_long_as_its_requests_take(effort: str, rate: float, search_s: float, repeat_s: float) -> None:
    assert EFFORTS[effort].timing(rate, 100.0, repeat=False).duration_s == search_s
    assert EFFORTS[effort].timing(rate, 100.0, repeat=True).duration_s == repeat_s


def test_no_point_is_shorter_than_ten_times_the_limit() -> None:
    assert EFFORTS["brisk"].timing(20000.0, 300.0, repeat=False).least_s == 3.0
