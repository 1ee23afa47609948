"""Numbers are rounded so that they still say what they are: not nothing, and not on the other side of a limit."""

import pytest

from slo_tuner.cost.prices import usd_text
from slo_tuner.slo.numerals import beside, percent, rate_text


@pytest.mark.parametrize(
    ("value", "limit", "digits", "text"),
    [
        (100.04, 100.0, 1, "100.04"),
        (99.996, 100.0, 1, "99.996"),
        (100.0, 100.0, 1, "100.0"),
        (180.4, 180.0, 0, "180.4"),
        (140.2, 180.0, 0, "140"),
        (5.0400001, 5.0, 1, "5.04"),
        (0.1 + 0.2, 0.3, 1, "0.3"),
    ],
)
def test_a_number_stays_on_its_side_of_a_limit(value: float, limit: float, digits: int, text: str) -> None:
    assert beside(value, limit, digits) == text


def test_a_change_is_shown_on_its_side_of_the_margin() -> None:
    assert beside(-3.04, -3.0, sign="+") == "-3.04" and beside(2.0, -3.0, sign="+") == "+2.0"


@pytest.mark.parametrize(
    ("rate", "text"), [(71.63, "71.6"), (8.0, "8.0"), (0.5, "0.5"), (0.04, "0.04"), (1e-6, "1e-06")]
)
def test_a_slow_rate_is_not_nothing(rate: float, text: str) -> None:
    assert rate_text(rate) == text


@pytest.mark.parametrize(("usd", "text"), [(63.333, "63.33"), (0.0083, "0.0083"), (0.52778, "0.528"), (0.0, "0.00")])
def test_a_small_price_is_not_nothing(usd: float, text: str) -> None:
    assert usd_text(usd) == text


@pytest.mark.parametrize(
    ("share", "allowed", "text"),
    [
        (0.0, None, "0.00 %"),
        (0.05002, 0.05, "5.002 %"),
        (0.05, 0.05, "5.00 %"),
        (0.203, 0.2, "20.3 %"),
        (1.0, 0.05, "100 %"),
        (0.00002, 0.0001, "0.002 %"),
        (0.00002, None, "0.002 %"),
    ],
)
def test_a_share_says_whether_it_is_allowed(share: float, allowed: float | None, text: str) -> None:
    assert percent(share, allowed) == text
