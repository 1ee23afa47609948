"""What a person sees while it is measured: one line an event, with numbers and units."""

import sys

from rich.text import Text

from command_line.terminal import plain_console

from ..results.schema import AT_THE_RATE, Point, SweepPoint
from ..slo.numerals import beside, rate_text
from ..slo.objective import Objective
from .time_left import TimeLeft

_VERDICTS = {True: Text("kept", "green"), False: Text("missed", "red")}


class Progress:
    """Prints to standard error; standard output stays for results."""

    def __init__(self, quiet: bool = False) -> None:
        self._left: TimeLeft | None = None
        self._console = plain_console(file=sys.stderr, quiet=quiet, soft_wrap=True)

    def expect(self, steps: int, guess_s: float) -> None:
        """Say from now on how long it may still take: so many steps, each of about `guess_s` seconds at first."""
        self._left = TimeLeft(steps, guess_s)

    def finish_step(self) -> None:
        """One of the steps is done."""
        if self._left is not None:
            self._left.finish_step()

    @property
    def step(self) -> str:
        """The present step and the time that is left, in words; empty where nobody knows."""
        return f" [{self._left.number}, {self._left}]" if self._left is not None else ""

    def say(self, text: str) -> None:
        """One plain line; whatever it quotes is printed as it is."""
        self._console.print(text)

    def heading(self, subject: str, text: str) -> None:
        """A line about a subject, which stands out."""
        self._console.print(Text.assemble((subject, "bold"), f": {text}"))

    def sweep_point(self, point: SweepPoint, before: str = "") -> None:
        """A point of the closed-loop curve, with words of the caller's before it."""
        self.say(
            f"  {before}in flight {point.concurrency:3}  {rate_text(point.rate_per_s):>8} req/s  "
            f"P50 {point.latency.p50_ms:7.1f} ms  P95 {point.latency.p95_ms:7.1f} ms"
            f"{'  disturbed' * point.disturbed}{_shares(point)}{_missing(point)}{self.step}"
        )

    def point(self, objective: Objective, point: Point) -> None:
        """An open-loop point with the quantile of its objective, and its verdict."""
        invalid = Text.assemble(("invalid", "yellow"), f": {point.invalid_reason}")
        verdict = invalid if point.invalid else _VERDICTS[point.kept]
        quantile_ms, allowed = point.objective_quantile_ms, 100 * objective.miss_share
        reached = "–" if quantile_ms is None else beside(quantile_ms, objective.limit_ms)  # noqa: RUF001
        sure = "" if point.invalid or point.purpose in AT_THE_RATE else (" (certain)" if point.certain else " (close)")
        failed = f", {point.errors} failed" if point.errors else ""
        line = (
            f"  {point.purpose:8} {rate_text(point.rate_per_s):>8} req/s  {objective.quantile_name} {reached:>7} ms  "
            f"{beside(100 * point.miss_share, allowed):>5} % late  {point.requests:5} requests "
            f"in {point.duration_s:4.1f} s{failed}  "
        )
        disturbed = Text.assemble(("  disturbed", "yellow"), f": {point.disturbance}") if point.disturbed else ""
        self._console.print(Text.assemble(line, verdict, sure, disturbed, _shares(point), _missing(point), self.step))


def _shares(point: Point | SweepPoint) -> str:
    """How evenly several servers were used."""
    if point.busiest_over_mean is None:
        return ""
    return f"  {len(point.servers)} servers, busiest {point.busiest_over_mean:.3f} of the mean"


def _missing(point: Point | SweepPoint) -> str:
    """Why the server's stages are not known, where they should be."""
    return f"; no server stages: {point.server_missing}" if point.server_missing else ""
