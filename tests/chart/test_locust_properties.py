"""Whatever the values of the Locust chart: Helm renders valid, restricted manifests, or refuses by schema or rule."""

import json
from typing import Any

import pytest
from cases import with_values
from chart_values import leaves, read_values
from hypothesis import given, settings
from hypothesis import strategies as st
from render import ROOT, HelmRefused, render
from schema_strategy import changes
from validation import errors, restricted_violations

CHART = ROOT / "charts/locust"
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
# Kubernetes' own structure, which the schema leaves to the API server.
PATHS = [leaf.path for leaf in leaves(read_values(CHART)) if leaf.path != ("placement", "tolerations")]
# The address is a template itself, and one that does not parse is refused by Helm.
BROKEN_ADDRESS = "error calling tpl"
SWARM = {"target": {"address": "triton:8001"}}
LADDER = with_values(SWARM, {"job": {"enabled": True, "command": "ladder", "models": ["a", "b"], "workers": 2}})


CHANGES = changes(SCHEMA, PATHS)


@pytest.mark.slow
@settings(max_examples=100)
@given(start=st.sampled_from([SWARM, LADDER]), changed=CHANGES)
def test_mutated_values_render_valid_manifests_or_are_refused(
    start: dict[str, Any], changed: list[dict[str, Any]]
) -> None:
    try:
        manifests = render(with_values(start, *changed), chart="locust")
    except HelmRefused as refused:
        assert refused.deliberate or BROKEN_ADDRESS in str(refused), str(refused)
        return
    assert errors(manifests) == []
    assert restricted_violations(manifests) == []
