"""Whatever the values: Helm renders valid manifests, or the schema or a rule refuses; never broken YAML."""

import json
from typing import Any

import pytest
from cases import EVERYTHING, URL, with_values
from chart_pools import OF_THE_RELEASE
from chart_values import leaves, read_values
from hypothesis import given, settings
from hypothesis import strategies as st
from render import ROOT, HelmRefused, render
from schema_strategy import changes
from validation import KUBERNETES_VERSIONS, errors, restricted_violations

SCHEMA = json.loads((ROOT / "charts/triton/values.schema.json").read_text(encoding="utf-8"))
# Kubernetes' own structures, which the schema leaves to the API server.
FOREIGN = {"placement.affinity", "server.extraEnv", "pools"}
PATHS = [leaf.path for leaf in leaves(read_values(ROOT / "charts/triton")) if ".".join(leaf.path) not in FOREIGN]


# What a pool may say, too; its schema refers to these.
OWN = [path for path in PATHS if not any(path[: len(once)] == once for once in OF_THE_RELEASE)]
POOLED = with_values(URL, {"pools": {pool: {"modelRepository": {"models": [pool]}} for pool in ("a", "b")}})
CHANGES = changes(SCHEMA, PATHS)
IN_POOLS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), changes(SCHEMA, OWN)).map(
        lambda chosen: with_values(*({"pools": {chosen[0]: change}} for change in chosen[1]))
    ),
    max_size=2,
)


@pytest.mark.slow
@settings(max_examples=100)
@given(
    start=st.sampled_from([URL, EVERYTHING, POOLED]),
    changed=CHANGES,
    in_pools=IN_POOLS,
    kube_version=st.sampled_from(KUBERNETES_VERSIONS),
)
def test_mutated_values_render_valid_manifests_or_are_refused(
    start: dict[str, Any], changed: list[dict[str, Any]], in_pools: list[dict[str, Any]], kube_version: str
) -> None:
    try:
        changed = changed + (in_pools if start is POOLED else [])
        manifests = render(with_values(start, *changed), kube_version=f"{kube_version}.0")
    except HelmRefused as refused:
        assert refused.deliberate, str(refused)
        return
    assert errors(manifests, kube_version) == []
    assert [problem for problem in restricted_violations(manifests) if "hostPath" not in problem] == []
