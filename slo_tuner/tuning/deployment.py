"""From the winner to its deployment: capacity, replicas, cost, a values file of the chart, and an entry of the plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from command_line.errors import UsageError

from ..capacity.configuration import Configuration
from ..cost.prices import CapacityMargin, Offer, replicas, usd_per_million
from ..slo.numerals import rate_text
from .record import Deployment, TuningResults

VALUES_FOLDER = "values"
PLAN_ENTRY = "plan-entry.yaml"


@dataclass(frozen=True)
class DeploymentGoal:
    """What the deployment is for: requests per second in total, the machine of each Pod, and what is kept spare."""

    total_rate_per_s: float | None = None
    offer: Offer | None = None
    spare: CapacityMargin = field(default_factory=CapacityMargin)


def deploy(rate_per_s: float, baseline_per_s: float | None, goal: DeploymentGoal) -> Deployment:
    """What one Pod's rate means for the goal."""
    total, offer = goal.total_rate_per_s, goal.offer
    return Deployment(
        per_pod_per_s=rate_per_s,
        total_rate_per_s=total,
        replicas=replicas(total, rate_per_s, goal.spare) if total is not None else None,
        headroom=goal.spare.headroom if total is not None else None,
        zones=goal.spare.zones if total is not None else None,
        machine=offer.name if offer else None,
        usd_per_hour=offer.usd_per_hour if offer else None,
        prices_as_of=offer.as_of.isoformat() if offer else None,
        usd_per_million=usd_per_million(offer.usd_per_hour, rate_per_s) if offer else None,
        baseline_usd_per_million=usd_per_million(offer.usd_per_hour, baseline_per_s)
        if offer and baseline_per_s
        else None,
    )


def values_text(results: TuningResults) -> str:
    """The values file of charts/triton that serves the model as it was tuned."""
    tuning, objective = results.tuning, results.objective
    deployment, winner = tuning.deployment, tuning.path[-1].configuration
    assert deployment is not None
    served = {
        "maxBatchSize": winner.batch,
        "preferredBatchSizes": list(winner.preferred),
        "maxQueueDelayMicroseconds": winner.delay_us,
        "instances": winner.instances,
    }
    values: dict[str, Any] = {"modelRepository": {"models": [tuning.model], "tuning": {tuning.model: served}}}
    rate = float(f"{deployment.per_pod_per_s:.4g}")
    values["scaling"] = {"requestRate": {"enabled": True, "perPodCapacity": rate}}
    if deployment.replicas is not None:
        values["scaling"] |= {"replicas": deployment.replicas}
    if objective.quantile == 0.95:
        values["monitoring"] = {"prometheusRule": {"objective": {"p95Ms": objective.limit_ms}}}
    said = (
        f"# Written by slo-tuner on {results.run.created[:10]}: {tuning.model} keeps {objective} up to "
        f"{rate_text(deployment.per_pod_per_s)} requests/s a Pod\n"
        f"# ({results.run.server}; found as {rate_text(tuning.path[0].rate_per_s)} requests/s "
        f"with {tuning.path[0].configuration}). Evidence: results.json and report.html.\n"
    )
    return said + yaml.safe_dump(values, sort_keys=False)


def plan_entry_text(model: str, winner: Configuration, plan: Path | None) -> str:
    """The variant as an entry of `variants:`; complete when the plan is given, else the keys that were tuned."""
    tuned = {
        "max_batch_size": winner.batch,
        "preferred_batch_sizes": list(winner.preferred),
        "max_queue_delay_us": winner.delay_us,
        "instances": winner.instances,
    }
    entry = {**(plan_variant(plan, model) if plan else {"name": model}), **tuned}
    said = "# An entry of `variants:` in the plan" + ("" if plan else ": these keys of the variant, the others stay")
    return f"{said}.\n{yaml.safe_dump([entry], sort_keys=False)}"


def plan_variant(plan: Path, model: str) -> Mapping[str, Any]:
    """The plan's own entry of a variant; UsageError when the plan has none."""
    try:
        content = yaml.safe_load(plan.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError("plan", str(plan), f"it cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError):  # no YAML, no text, or a day that there is not
        raise UsageError("plan", str(plan), "it must be a plan of model-repo-builder, in YAML") from None
    variants = content.get("variants") if isinstance(content, dict) else None
    named = [v for v in variants or [] if isinstance(v, dict) and "name" in v]
    for variant in named:
        if variant["name"] == model:
            return dict(variant)
    raise UsageError("plan", str(plan), f"it has no variant {model!r}, only {', '.join(str(v['name']) for v in named)}")


def values_file(output: Path, model: str) -> Path:
    """Where the values file is written."""
    return output / VALUES_FOLDER / f"tuned-{model}.yaml"
