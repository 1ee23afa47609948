"""The time that is left: a guess at first, then what the finished steps took."""

from slo_tuner.session.time_left import TimeLeft


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_finished_steps_correct_the_guess() -> None:
    clock = _Clock()
    left = TimeLeft(steps=4, guess_s=100.0, clock=clock)
    assert (left.number, left.left_s(), str(left)) == ("1 of 4", 400.0, "about 7 min left")
    clock.now = 200.0
    left.finish_step()
    assert (left.number, left.left_s()) == ("2 of 4", 600.0)
    clock.now = 250.0
    assert left.left_s() == 550.0


def test_a_step_that_takes_longer_never_has_less_than_nothing_left() -> None:
    clock = _Clock()
    left = TimeLeft(steps=1, guess_s=20.0, clock=clock)
    clock.now = 500.0
    assert (left.left_s(), str(left)) == (1.0, "about 5 s left")
    left.finish_step()
    assert left.left_s() == 0.0
