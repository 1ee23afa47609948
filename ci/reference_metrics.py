"""The page of metrics: what servers export, as dashboards, alerts and the tuner use it."""

from __future__ import annotations

from triton_contract.metrics import DCGM_METRICS, FAILURE_REASONS, TRITON_METRICS, Metric

_INTRODUCTION = """# Metrics

What a server exports at port 8002, `/metrics`. Dashboards, alerts, autoscaling and `slo-tuner` use these names and no
others: they stand once, in `triton_contract/metrics.py`, from which `ci/reference_docs.py` writes this page. Series of
a model carry the labels `model` and `version`, those of a GPU `gpu_uuid`. Durations are sums in microseconds: divide
their increase by that of the requests for a mean.

Alerts, and what to do when one fires: [runbooks](../runbooks/README.md).
"""


def page() -> str:
    """The whole page in Markdown."""
    reasons = ", ".join(f"`{reason}`" for reason in FAILURE_REASONS)
    failures = f"`nv_inference_request_failure` has the label `reason`: {reasons}. `CANCELED`: the client gave up."
    gpu = "Triton's own metrics of a GPU need DCGM. Where GKE or dcgm-exporter measures GPUs, these are the same:"
    parts = [_INTRODUCTION, "## Triton\n", _table(TRITON_METRICS), f"{failures}\n", "## dcgm-exporter\n", f"{gpu}\n"]
    return "\n".join([*parts, _table(DCGM_METRICS)])


def _table(metrics: dict[str, Metric]) -> str:
    rows = ["| name | kind | unit | meaning | since |", "|---|---|---|---|---|"]
    rows += [f"| `{m.name}` | {m.kind} | {m.unit} | {m.meaning} | {m.since} |" for m in metrics.values()]
    return "\n".join(rows) + "\n"
