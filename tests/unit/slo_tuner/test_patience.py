"""A disturbed point is measured again when the machine is quiet; waiting is bounded, and said."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest

from slo_tuner.measurement import patience as patience_module
from slo_tuner.measurement.patience import MOST_REPEATS, Patience
from slo_tuner.results.schema import Disturbance

QUIET = Disturbance(cores=2, foreign_cores=0.01)
BUSY = Disturbance(cores=2, foreign_cores=0.8, disturbed=True)


@dataclass
class Measured:
    """A point by its number."""

    number: int
    disturbance: Disturbance | None

    @property
    def disturbed(self) -> bool:
        return self.disturbance is not None and self.disturbance.disturbed


class Bench:
    """Measures and looks as it is told; its clock moves by the seconds that a look or a point takes."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, points: Iterable[Disturbance | None], looks: Iterator[Disturbance]
    ) -> None:
        self._points, self._looks = iter(points), looks
        self.now, self.measured, self.looked, self.replaced = 0.0, 0, 0, list[int]()
        self.said: list[str] = []
        monkeypatch.setattr(patience_module, "perf_counter", lambda: self.now)

    def look(self, seconds: float) -> Disturbance:
        self.now += seconds
        self.looked += 1
        return next(self._looks)

    def measure(self) -> Measured:
        self.now += 10
        self.measured += 1
        return Measured(self.measured, next(self._points))

    def take(self, patience: Patience, matters: Callable[[Measured], bool] = lambda _: True) -> Measured:
        return patience.measured(self.look, self.measure, matters, lambda point: self.replaced.append(point.number))

    def patience(self, point_s: float = 30, run_s: float = 300) -> Patience:
        return Patience(self.said.append, point_s, run_s)


def always(disturbance: Disturbance) -> Iterator[Disturbance]:
    """The same at every look."""
    while True:
        yield disturbance


def test_a_quiet_point_is_taken_without_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, [QUIET], always(BUSY))
    assert bench.take(bench.patience()).number == 1
    assert bench.looked == 0 and not bench.said


def test_a_disturbed_point_is_measured_again_once_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, [BUSY, QUIET], iter([BUSY, BUSY, QUIET]))
    assert bench.take(bench.patience()).number == 2
    assert bench.replaced == [1] and bench.looked == 3
    assert "waiting for the machine to be quiet: other programs took 0.8 of 2 cores" in bench.said[0]
    assert "up to 30 s" in bench.said[0] and "300 s" in bench.said[0]


def test_a_point_is_repeated_twice_at_most_and_then_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, [BUSY] * 9, always(QUIET))
    found = bench.take(bench.patience())
    assert found.disturbed and found.number == 1 + MOST_REPEATS
    assert bench.replaced == [1, 2]


def test_what_does_not_matter_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, [BUSY], always(QUIET))
    assert bench.take(bench.patience(), lambda _: False).number == 1
    assert bench.looked == 0


def test_a_wait_ends_and_the_point_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, [BUSY], always(BUSY))
    assert bench.take(bench.patience()).disturbed
    assert bench.looked == 30 and not bench.replaced
    assert "not quiet after 30 s" in bench.said[-1] and "marked" in bench.said[-1]


def test_beside_a_program_that_never_ends_the_waits_get_short(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, [BUSY] * 40, always(BUSY))
    patience = bench.patience()
    waits = []
    for _ in range(40):
        before = bench.looked
        bench.take(patience)
        waits.append(bench.looked - before)
    assert waits[:4] == [30, 8, 2, 1] and max(waits[4:]) == 1
    assert sum(waits) < 80


def test_a_wait_that_ends_well_makes_the_next_one_long_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([*[BUSY] * 30, QUIET, *[BUSY] * 20, QUIET])
    bench = Bench(monkeypatch, [BUSY, BUSY, QUIET, BUSY, QUIET], looks)
    patience = bench.patience()
    assert [bench.take(patience).disturbed for _ in range(3)] == [True, False, False]


def test_a_run_s_waits_and_repeats_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, [BUSY] * 100, always(QUIET))
    patience = bench.patience(run_s=50)
    for _ in range(20):
        bench.take(patience)
    # A repeat takes 10 s and a look of 1 s: the fifth begins within the 50 s, and no sixth.
    assert len(bench.replaced) == 5


def test_without_patience_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, [BUSY], always(QUIET))
    assert bench.take(bench.patience(0, 0)).disturbed
    assert bench.looked == 0
