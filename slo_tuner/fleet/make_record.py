"""What `fleet` keeps in results.json of outcomes, searches and traces."""

import numpy as np

from ..load.traffic.trace import Floats, Trace
from .record import Series, TraceFacts, Trade
from .search import Search
from .simulate import Outcome


def series(outcome: Outcome, first: int, last: int, every: int) -> Series:
    """Means over every so many steps of an outcome."""

    def mean(values: Floats) -> Floats:
        part = values[first:last]
        starts = np.arange(0, len(part), every)
        return np.asarray(np.add.reduceat(part, starts) / np.diff([*starts, len(part)]))

    asked = mean(outcome.rates * outcome.step_s - outcome.shed)
    late = mean(outcome.late) / np.maximum(asked, 1e-9)

    def rounded(values: Floats) -> tuple[float, ...]:
        return tuple(float(f"{value:.4g}") for value in values)

    return Series(
        start_s=first * outcome.step_s,
        step_s=every * outcome.step_s,
        rates_per_s=rounded(mean(outcome.rates)),
        pods=rounded(mean(outcome.pods)),
        late_shares=rounded(late),
        usd_per_hour=rounded(mean(outcome.nodes) * outcome.usd_per_hour),
    )


def trade(search: Search, number: int) -> Trade:
    """What became of the candidate of this number: exactly, or roughly where that is all that is known."""
    outcome = search.found.get(number, search.rough[number])
    return Trade(
        scaling=search.candidates[number],
        usd=outcome.usd,
        late_share=outcome.late_share,
        worst_share=outcome.worst_share,
        exact=number in search.found,
    )


def facts(trace: Trace) -> TraceFacts:
    """What a trace is, without its rates."""
    return TraceFacts(
        name=trace.name,
        start=trace.start,
        duration_s=trace.duration_s,
        step_s=trace.step_s,
        requests=trace.requests,
        mean_per_s=trace.mean_per_s,
        peak_per_s=trace.peak_per_s,
        filled=trace.filled,
    )
