"""Results of every way in which a run of slo-tuner can end, by a name."""

from collections.abc import Callable
from functools import cache
from typing import Any

from finished_fleet import choice, fleet
from finished_tiers import played, scenario
from finished_tiers import results as tier_results
from finished_tuning import finished_tuning, unfinished
from run_headers import header
from test_report import _model, _point, _results

from slo_tuner.fleet.settings import Requests
from slo_tuner.results.schema import Latency, ModelResult, Results, SweepPoint
from slo_tuner.slo.objective import Objective
from slo_tuner.sweep.record import SweepRecord, SweepResults, SweepTarget

FOREIGN = "[bold]m[/models/a/1/model.onnx] [[node x]] :warning: $_{"
"""A name or message that a console with markup would refuse, swallow or change."""
_ZERO = Latency(mean_ms=0, p50_ms=0, p90_ms=0, p95_ms=0, p99_ms=0, max_ms=0)
_UNANSWERED: dict[str, Any] = {
    "errors": 100,
    "misses": 100,
    "miss_share": 1.0,
    "kept": False,
    "latency": None,
    "objective_quantile_ms": None,
    "server": None,
    "error_reasons": {FOREIGN: 100},
}
_LAGGED: dict[str, Any] = {"rate_per_s": None, "missed_per_s": None, "generator_limited": True}


def sweep_point(concurrency: int, **changes: Any) -> SweepPoint:
    """A closed loop that answered nothing, within no time, unless `changes` says otherwise."""
    facts = {"concurrency": concurrency, "duration_s": 1, "requests": 0, "errors": 0, "rate_per_s": 0, "latency": _ZERO}
    return SweepPoint.model_validate(facts | changes)


def _swept(*targets: SweepTarget, complete: bool = True) -> SweepResults:
    return SweepResults(
        run=header(),
        objective=Objective(),
        objective_source="asked for",
        request_megabytes={"m": 0.1},
        models=(),
        complete=complete,
        sweep=SweepRecord(model=FOREIGN, targets=targets),
    )


def _target(name: str, **changes: Any) -> SweepTarget:
    rounds = tuple(tuple(sweep_point(count, **changes) for count in (1, 2, 4)) for _ in range(3))
    return SweepTarget(name=name, address="h:1", rounds=rounds)


def _lagged(purpose: str, reason: str = "the load generator sent late") -> ModelResult:
    points = [_point(50.0, purpose=purpose, invalid_reason=reason, kept=True)]
    return _model("m", None, **_LAGGED | {"points": points})


_tuned = cache(finished_tuning)


OUTCOMES: dict[str, Callable[[], Results]] = {
    "kept": lambda: _results(_model("original", 10.0), _model("fast", 52.0)),
    "missed": lambda: _results(_model("original", None)),
    "one point kept": lambda: _results(_model("m", 10.0, missed_per_s=None, points=[_point(10.0, purpose="single")])),
    "one point missed": lambda: _results(
        _model("m", None, missed_per_s=10.0, points=[_point(10.0, purpose="single", kept=False)])
    ),
    "one point invalid": lambda: _results(_lagged("single")),
    "a search of invalid points": lambda: _results(_lagged("bracket", FOREIGN)),
    "a model that failed": lambda: _results(
        _model("original", 10.0), ModelResult(model=FOREIGN, failure=f"cannot be loaded: {FOREIGN}")
    ),
    "the first model failed": lambda: _results(
        ModelResult(model="original", failure="no memory"), _model("m", 5.0), _model("n", None)
    ),
    "all models failed": lambda: _results(ModelResult(model=FOREIGN, failure=FOREIGN)),
    "no model": lambda: _results(complete=False),
    "no points": lambda: _results(_model("m", None, points=[]), _model("n", 4.0, points=[])),
    "latencies of zero": lambda: _results(
        _model("m", 9.0, points=[_point(9.0, latency=_ZERO, objective_quantile_ms=0.0)], sweep=[sweep_point(1)])
    ),
    "no request answered": lambda: _results(
        _model("m", None, points=[_point(9.0, **_UNANSWERED)], unloaded_ms=None, sweep=[sweep_point(1, errors=5)])
    ),
    "foreign names": lambda: _results(_model(FOREIGN, 10.0, manifest={"engine": FOREIGN, "calibration": FOREIGN})),
    "a sweep": lambda: _swept(_target("a", rate_per_s=9), _target("[b]", rate_per_s=8)),
    "a sweep of one target": lambda: _swept(_target("a", rate_per_s=9)),
    "a sweep without rounds": lambda: _swept(
        SweepTarget(name="a", address="h:1"), SweepTarget(name="b", address="h:2"), complete=False
    ),
    "tiers": lambda: tier_results(scenario(played(), played({"shed": 20, "answered": 0, "quantile_ms": None}))),
    "tiers without scenarios": lambda: tier_results(complete=False),
    "tiers without an answer": lambda: tier_results(scenario(*[played({"quantile_ms": None, "answered": 0})] * 2)),
    "tuned": _tuned,
    "tuning without a winner": lambda: _tuned(limit_ms=1.0),
    "tuning interrupted": lambda: unfinished(_tuned(), 1),
    "a fleet": fleet,
    "a fleet that keeps nothing": lambda: fleet(
        choices=tuple(choice(name, kept=False, worst_share=0.9) for name in ("thrifty", "balanced", "safe", "fixed")),
        assumed=("a node takes 120 s",),
        notes=(FOREIGN,),
    ),
    "a fleet of one zone without a burst": lambda: fleet(
        choices=tuple(choice(name, zone_lost_share=None) for name in ("thrifty", "balanced", "safe", "fixed")),
        headroom=(),
        variants=(),
        published=None,
        requests=Requests(tier_2_share=0.3),
    ),
}
"""Each makes its results when it is asked."""
