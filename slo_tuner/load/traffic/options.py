"""The options that say what traffic there is, checked."""

import argparse
from typing import cast

from command_line.arguments import positive
from command_line.errors import UsageError

from .checked import GAPS, MOST_RATE, Gaps
from .files import read_trace
from .kinds import Shape, check_kind, generated
from .trace import Trace

_MOST_DAYS = 92


def read_traffic(options: argparse.Namespace) -> Trace:
    """The trace of --trace, or of --traffic, scaled; UsageError names the first option or row that is wrong."""
    if options.gaps not in GAPS:
        raise UsageError("gaps", options.gaps, f"choose one of {', '.join(GAPS)}")
    if options.trace is not None:
        if options.rate is not None or options.peak is not None:
            raise UsageError("rate", options.rate or options.peak, "a trace has its own rates: --rate-scale")
        trace = read_trace(options.trace, cast(Gaps, options.gaps))
    else:
        check_kind(options.traffic)
        if options.rate is None:
            raise UsageError("rate", "", f"say how much {options.traffic} traffic is, in requests per second")
        peak = positive("peak", options.peak) if options.peak is not None else None
        if peak is not None and not 1 <= peak <= 1000:
            raise UsageError("peak", options.peak, "give how many times the usual rate it is, from 1 to 1000")
        hours = positive("hours", options.hours)
        shape = Shape(positive("rate", options.rate), min(hours, 24 * _MOST_DAYS + 1), peak, seed=1)
        trace = generated(options.traffic, shape)
    trace = trace.scaled(positive("time-scale", options.time_scale), positive("rate-scale", options.rate_scale))
    if trace.duration_s > _MOST_DAYS * 86400:
        raise UsageError("trace", trace.name, f"it lasts {trace.duration_s / 86400:.4g} days; {_MOST_DAYS} at most")
    if trace.rates.max() > MOST_RATE:
        raise UsageError("trace", trace.name, f"a rate is {MOST_RATE:g} requests per second at most")
    if trace.requests < 1:
        raise UsageError("trace", trace.name, "it has no request")
    return trace


def read_bounded_trace(options: argparse.Namespace) -> Trace | None:
    """The traffic that a real server is to get, None where none was asked for; UsageError for one beyond its bounds.

    `--most-s` bounds how long it lasts, and `--most-rate` the rate of its busiest minute: a day's trace of a fleet must
    not be sent to one server by mistake.
    """
    if options.trace is None and options.traffic is None:
        return None
    trace = read_traffic(options)
    seconds, rate = positive("most-s", options.most_s), positive("most-rate", options.most_rate)
    if trace.duration_s > seconds:
        raise UsageError(
            "most-s", options.most_s, f"the trace lasts {trace.duration_s:.6g} s: raise it, or --time-scale"
        )
    if trace.peak_per_s > rate:
        raise UsageError(
            "most-rate",
            options.most_rate,
            f"the busiest minute has {trace.peak_per_s:,.6g} requests/s: raise it, or lower --rate-scale",
        )
    return trace
