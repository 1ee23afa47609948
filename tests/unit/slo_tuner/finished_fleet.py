"""Results of a fleet, as `slo-tuner fleet` writes them, made by hand."""

from typing import Any

from run_headers import header

from slo_tuner.fleet.record import (
    Choice,
    FleetRecord,
    FleetResults,
    Headroom,
    PublishedRatio,
    Series,
    TraceFacts,
    Trade,
    VariantCost,
)
from slo_tuner.fleet.settings import Nodes, Requests, ScalingSettings, StartUp
from slo_tuner.results.schema import ModelResult
from slo_tuner.slo.objective import Objective

SCALING = ScalingSettings(least=3, most=30, rate_target_percent=70)


def choice(name: str, **changes: Any) -> Choice:
    """A choice that keeps what it promises, unless `changes` says otherwise."""
    series = Series(
        start_s=0, step_s=60, rates_per_s=(100, 300), pods=(3, 5), late_shares=(0, 0.2), usd_per_hour=(1.6, 2.7)
    )
    facts = {
        "name": name,
        "scaling": ScalingSettings(mode="fixed", replicas=6) if name == "fixed" else SCALING,
        "kept": True,
        "late_share": 0.01,
        "worst_share": 0.04,
        "zone_lost_share": 0.3,
        "shed_share": 0.0,
        "usd": 10.0,
        "usd_per_million": 0.7,
        "least_pods": 3,
        "mean_pods": 4.2,
        "most_pods": 5,
        "reclaimed": 0,
        "series": series,
        "burst": series,
    }
    return Choice.model_validate(facts | changes)


def fleet(**changes: Any) -> FleetResults:
    """A fleet with every choice; `changes` are fields of its record."""
    facts = {
        "model": "m",
        "capacity_per_s": 71.6,
        "machine": "n1-standard-4+T4",
        "usd_per_hour": 0.54,
        "prices_as_of": "2021-08-23",
        "trace": TraceFacts(
            name="t.csv",
            start="2026-01-01T00:00:00Z",
            duration_s=120,
            step_s=60,
            requests=24000,
            mean_per_s=200,
            peak_per_s=300,
            filled=0,
        ),
        "start_up": StartUp(),
        "assumed": (),
        "nodes": Nodes(),
        "requests": Requests(),
        "allowed_share": 0.05,
        "allowed_worst_share": 0.05,
        "step_s": 1,
        "choices": tuple(choice(name) for name in ("thrifty", "balanced", "safe", "fixed")),
        "frontier": tuple(
            Trade(scaling=SCALING, usd=usd, late_share=late, worst_share=late, exact=exact)
            for usd, late, exact in ((9.0, 0.2, False), (10.0, 0.04, True))
        ),
        "headroom": (
            Headroom(start_up_s=15, highest=0.5, usual=0.1),
            Headroom(start_up_s=300, highest=2.0, usual=0.4),
        ),
        "variants": (
            VariantCost(
                model="m",
                machine="n1-standard-4+T4",
                capacity_per_s=71.6,
                usd_per_million_full=0.5,
                usd_per_million_trace=0.7,
                worst_share=0.04,
                mean_pods=4.2,
            ),
        ),
        "published": PublishedRatio(
            full_load=163, trace=120, cpu_machine="n1-standard-96", gpu_machine="n1-standard-4+T4"
        ),
        "notes": (),
    }
    return FleetResults(
        run=header(),
        objective=Objective(),
        objective_source="asked for",
        request_megabytes={},
        models=(ModelResult(model="m", rate_per_s=71.6),),
        fleet=FleetRecord.model_validate(facts | changes),
    )
