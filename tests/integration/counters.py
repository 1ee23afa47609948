"""What each server has counted itself, from its own metrics."""

from __future__ import annotations

from cluster import kubectl
from prometheus_client.parser import text_string_to_metric_families
from release import Release

from triton_contract.metrics import REQUEST_SUCCESS

_READ = "import urllib.request as u; print(u.urlopen('http://localhost:8002/metrics').read().decode())"


def answered(release: Release, model: str) -> dict[str, int]:
    """Requests that each ready Pod has answered for a model since it started, warm-up included, by the Pod's name."""
    return {pod: _requests(release.namespace, pod, model) for pod in release.ready_pods()}


def _requests(namespace: str, pod: str, model: str) -> int:
    text = kubectl("-n", namespace, "exec", pod, "-c", "triton", "--", "python3", "-c", _READ)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    # The parser gives counters their OpenMetrics name, which ends in _total.
    counted = [one for one in samples if one.name.removesuffix("_total") == REQUEST_SUCCESS]
    return int(sum(one.value for one in counted if one.labels["model"] == model))
