"""Finished runs of `slo-tuner tiers` of known content."""

from typing import Any

from test_report import _results

from slo_tuner.slo.objective import Objective
from slo_tuner.tiers.record import ModelRun, ScenarioResult, TieredModel, TierResults, Tiers, Window


def window(start_s: float, **changes: Any) -> Window:
    """Two seconds in which 20 requests are due and all is well."""
    facts = {"start_s": start_s, "end_s": start_s + 2, "due": 20, "answered": 20, "shed": 0, "timed_out": 0}
    return Window.model_validate(facts | {"failed": 0, "late": 0, "quantile_ms": 50.0} | changes)


def played(burst: dict[str, Any] | None = None, after: dict[str, Any] | None = None, delay_ms: float = 1.0) -> ModelRun:
    """Three phases of four seconds; `burst` changes both windows of the burst, `after` the first one after it."""
    windows = [window(2.0 * number) for number in range(6)]
    windows[2:4] = [window(start, **(burst or {})) for start in (4.0, 6.0)]
    windows[4] = window(8.0, **(after or {}))
    phases = (windows[0], windows[2], windows[4])
    return ModelRun(
        rates_per_s=(10, 20, 10),
        phases=tuple(w.model_copy(update={"end_s": w.start_s + 4}) for w in phases),  # type: ignore[arg-type]
        windows=tuple(windows),
        error_reasons={},
        send_delay_p95_ms=delay_ms,
        rows_file="requests/a.csv.gz",
    )


def model(name: str, tier: int, limit_ms: float) -> TieredModel:
    """A model that was measured alone."""
    objective = Objective(limit_ms=limit_ms)
    return TieredModel(
        model=name,
        tier=tier,
        objective=objective,
        objective_source="asked for",
        unloaded_ms=15,
        capacity_per_s=90,
        server_config={},
    )


MODELS = (model("interactive", 1, 100.0), model("bulk", 2, 500.0))
SHEDDING = {"answered": 12, "shed": 5, "timed_out": 3}
LATE = {"late": 9, "quantile_ms": 900.0}


def scenario(first: ModelRun, second: ModelRun) -> ScenarioResult:
    """A scenario whose control run misses tier 1's objective."""
    return ScenarioResult(
        name="tier-2", title="A burst on tier 2", tiers=(first, second), control=(played(LATE), played(LATE))
    )


def results(*scenarios: ScenarioResult, complete: bool = True) -> TierResults:
    """A run of these scenarios."""
    tiers = Tiers(models=MODELS, phase_s=4.0, scenarios=scenarios)
    return TierResults(**dict(_results(complete=complete)) | {"kind": "tiers"}, tiers=tiers)
