"""Prices are the table's, and what follows from them is right by hand calculation."""

import math
from pathlib import Path

import pytest

from command_line.errors import UsageError
from slo_tuner.cost.prices import CapacityMargin, read_prices, replicas, usd_per_million


@pytest.mark.parametrize(
    ("name", "usd_per_hour"),
    [
        ("n1-standard-96", 4.56),
        ("n1-standard-4", 0.19),
        ("n1-standard-4+T4", 0.54),
        ("n1-standard-4+4xT4", 1.59),
    ],
)
def test_a_machine_costs_what_the_reference_paid(name: str, usd_per_hour: float) -> None:
    assert read_prices().offer(name).usd_per_hour == pytest.approx(usd_per_hour)


@pytest.mark.parametrize(
    "name", ["", "n2-standard-4", "n1-standard-4+", "n1-standard-4+L4", "n1-standard-4+0xT4", "+T4"]
)
def test_a_machine_that_has_no_price_is_named_with_those_that_have(name: str) -> None:
    with pytest.raises(UsageError, match=r"machine: .* is not allowed; the price table has the (machines n1|GPUs T4)"):
        read_prices().offer(name)


def test_what_is_no_price_table_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0:root:/root:/bin/bash\nsecret:more\n")
    with pytest.raises(UsageError) as refused:
        read_prices(path)
    assert "secret" not in str(refused.value) and "must be a YAML file" in str(refused.value)


def test_a_million_inferences_cost_the_hours_they_take() -> None:
    assert usd_per_million(0.54, 2236.6) == pytest.approx(0.54 / (2236.6 * 3600 / 1e6))


@pytest.mark.parametrize(
    ("rate_per_s", "headroom", "zones", "expected"),
    [
        (80, 0.2, 1, 1),
        (81, 0.2, 1, 2),
        (80, 0.2, 2, 2),  # one in each zone: the other carries all
        (160, 0.2, 2, 4),
        (160, 0.2, 3, 3),  # two remain of three
        (400, 0.2, 3, 8),  # 3 + 3 + 2: five remain
        (1, 0.0, 3, 2),
    ],
)
def test_the_replicas_left_after_a_zone_is_lost_carry_the_rate(
    rate_per_s: float, headroom: float, zones: int, expected: int
) -> None:
    assert replicas(rate_per_s, 100, CapacityMargin(headroom, zones)) == expected


@pytest.mark.parametrize("zones", [2, 3, 7])
@pytest.mark.parametrize("needed", [1, 2, 3, 7, 100])
def test_there_is_no_pod_more_than_a_lost_zone_takes(needed: int, zones: int) -> None:
    def left(pods: int) -> int:
        return pods - math.ceil(pods / zones)

    found = replicas(needed * 10.0, 10.0, CapacityMargin(0.0, zones))
    assert left(found - 1) < needed <= left(found)


def test_a_pod_that_serves_next_to_nothing_takes_no_time_to_count() -> None:
    assert replicas(1e9, 1e-9, CapacityMargin(0.2, 3)) > 1e18


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", r"prices: '.*' is not allowed; it must be a YAML file"),
        ("- 1", "prices: "),
        ("machines: {}", r"prices.machines: \{\}"),
        ("machines: {m: {usd_per_hour: -1, as_of: 2026-01-01}}", "prices.machines.m.usd_per_hour: -1"),
        ("machines: {m: {usd_per_hour: 1, as_of: soon}}", "prices.machines.m.as_of: 'soon'"),
        ("machines: {m: {usd_per_hour: 1}}", r"prices.machines.m.as_of: "),
        ("machines: [", r"prices: '.*' is not allowed; it must be .* \(line 1 is no YAML\)"),
        (
            "machines: {m: {usd_per_hour: 1, as_of: 2026-02-30}}",
            r"prices: '.*' is not allowed; .* \(day is out of range",
        ),
    ],
)
def test_a_wrong_price_table_is_refused_by_its_field(text: str, field: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"^{field}"):
        read_prices(path)


def test_an_absent_price_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent.yaml' is not allowed; it cannot be read \(No such file"):
        read_prices(tmp_path / "absent.yaml")
