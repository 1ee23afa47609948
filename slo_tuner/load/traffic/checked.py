"""Columns of times and rates become a trace, or are refused with the first row that is wrong."""

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from command_line.errors import UsageError

from .trace import Floats, Trace

Gaps = Literal["refuse", "zero", "hold"]
GAPS: tuple[Gaps, ...] = ("refuse", "zero", "hold")
MOST_RATE = 1e9
_YEAR_2100, _MOST_TIME = 4_102_444_800, 1e12
MOST_STEPS = 10_000_000
"""A step a second for four months: beyond that a time stamp is in another unit than the others."""


@dataclass(frozen=True)
class Columns:
    """What a file holds: `times` of rows (`rates` None: of single requests) in seconds, and where the first row is.

    `first_row` is the number of the first in the file, for messages. `start` is the first time in UTC, if they have a
    zone. `dated` says that the times were dates, so that their unit is known.
    """

    source: str
    times: Floats
    rates: Floats | None = None
    first_row: int = 1
    start: str = ""
    dated: bool = False

    def wrong(self, row: int, value: object, allowed: str) -> UsageError:
        """The error that names a row, counted from 0 here and as in the file there."""
        return UsageError(f"trace {self.source}, row {row + self.first_row}", _plain(value), allowed)


def _plain(value: object) -> object:
    return float(value) if isinstance(value, np.floating) else value


def checked_trace(columns: Columns, gaps: Gaps = "refuse") -> Trace:
    """The trace of the columns; UsageError names the first row that is wrong, its value, and what is allowed."""
    times = columns.times
    if not len(times):
        raise UsageError("trace", columns.source, "it has no row; give a row for each request, or for each rate")
    _refuse_first(columns, ~np.isfinite(times), times, "a time is a finite number of seconds, or ISO 8601 with a zone")
    # An hour of milliseconds would pass for six weeks of seconds.
    far = np.abs(times) >= (_MOST_TIME if columns.dated else _YEAR_2100)
    _refuse_first(columns, far, times, "a time in seconds is before the year 2100: are they seconds, not milliseconds?")
    if columns.rates is None:
        return _of_requests(columns)
    rates = columns.rates
    _refuse_first(columns, ~np.isfinite(rates), rates, "a rate is a finite number of requests per second")
    _refuse_first(columns, rates < 0, rates, "a rate is not below 0")
    _refuse_first(columns, rates > MOST_RATE, rates, f"a rate is {MOST_RATE:g} requests per second at most")
    return _of_rates(columns, rates, gaps)


def _refuse_first(columns: Columns, wrong: NDArray[np.bool_], values: Floats, allowed: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise columns.wrong(row, values[row], allowed)


def _of_requests(columns: Columns) -> Trace:
    """Requests counted by second. A time without requests is a rate of 0."""
    times = columns.times
    _refuse_first(columns, np.diff(times, prepend=times[0]) < 0, times, "times ascend: sort the rows")
    offsets = times - times[0]
    if not offsets[-1] < MOST_STEPS:
        raise columns.wrong(
            len(times) - 1, times[-1], f"a trace lasts {MOST_STEPS} s at most: are times in seconds, not milliseconds?"
        )
    counts = np.bincount(offsets.astype(np.int64), minlength=int(offsets[-1]) + 1).astype(np.float64)
    return Trace(columns.source, 1.0, counts, offsets, columns.start)


def _of_rates(columns: Columns, rates: Floats, gaps: Gaps) -> Trace:
    """Each rate counts from its time to the next row's; rows are evenly spaced, but for whole rows that are missing."""
    times = columns.times
    if len(times) < 2:
        raise UsageError("trace", columns.source, "one rate has no length; give two rows or more")
    distances = np.diff(times)
    wrong = np.concatenate([[False], distances <= 0])
    _refuse_first(columns, wrong, times, "times ascend, each once: sort the rows")
    # The lower median: of two distances one may be a gap.
    step = float(np.sort(distances)[(len(distances) - 1) // 2])
    # A distance of nearly nothing makes numbers beyond all bounds, which are refused.
    with np.errstate(over="ignore", invalid="ignore"):
        number = distances / step
        even = (np.abs(number - np.round(number)) <= 0.05) & (np.round(number) >= 1)
    _refuse_first(columns, np.concatenate([[False], ~even]), times, f"rows are {step:g} s apart")
    # Before they are whole numbers: a time in another unit than the others makes more of them than there are.
    too_far = np.concatenate([[False], np.cumsum(np.round(number)) >= MOST_STEPS])
    _refuse_first(columns, too_far, times, f"a trace has {MOST_STEPS} steps at most")
    places = np.concatenate([[0], np.cumsum(np.round(number))]).astype(np.int64)
    missing = int(places[-1]) + 1 - len(times)
    if missing and gaps == "refuse":
        row = int(np.argmax(np.round(number) > 1)) + 1
        raise columns.wrong(
            row, times[row], f"{round(number[row - 1]) - 1} rows before it are missing: --gaps zero, or --gaps hold"
        )
    filled = np.zeros(int(places[-1]) + 1)
    filled[places] = rates
    if gaps == "hold":
        filled = rates[np.searchsorted(places, np.arange(len(filled)), side="right") - 1]
    return Trace(columns.source, step, filled, None, columns.start, missing)


def seconds_of(text: str) -> tuple[float, bool]:
    """A time as seconds (of Unix time where it is a date), and whether it had a zone; ValueError with what is allowed.

    A date without a zone is refused: read as one zone and meant as another, a day's peak would move by hours.
    """
    try:
        return float(text), False
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a time is a number of seconds, or ISO 8601 such as 2026-03-01T14:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("it has no time zone: write 2026-03-01T14:00:00Z, or +01:00 at its end")
    return moment.timestamp(), True


def utc(seconds: float) -> str:
    """Unix time as ISO 8601 in UTC; empty for what is no date of this century."""
    if not math.isfinite(seconds) or not 946_684_800 <= seconds < _YEAR_2100:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat().replace("+00:00", "Z")


def mixed(zoned: Sequence[bool]) -> bool:
    """Whether some times are dates and others numbers."""
    return any(zoned) and not all(zoned)
