"""Whatever the values: Helm renders valid manifests, or the schema or a rule refuses; never broken YAML."""

import json
from typing import Any

from cases import EVERYTHING, URL, at, with_values
from chart_values import leaves, read_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from render import ROOT, HelmRefused, render
from schema_strategy import JUNK, fitting
from validation import KUBERNETES_VERSIONS, errors, restricted_violations

SCHEMA = json.loads((ROOT / "charts/triton/values.schema.json").read_text(encoding="utf-8"))
# Kubernetes' own structures, which the schema leaves to the API server.
FOREIGN = {"placement.affinity", "server.extraEnv"}
PATHS = [leaf.path for leaf in leaves(read_values(ROOT / "charts/triton")) if ".".join(leaf.path) not in FOREIGN]
REFUSALS = ("specifications of the schema", "templates/validations.yaml", "image volumes enabled")


def leaf_schema(path: tuple[str, ...]) -> dict[str, Any]:
    node = SCHEMA
    for key in path:
        node = node["properties"][key]
    return node


def changed(path: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    fits = fitting(leaf_schema(path), SCHEMA["definitions"])
    # Mostly values that the schema accepts: those reach the templates.
    return st.one_of(fits, fits, fits, JUNK).map(lambda value: at(".".join(path), value))


CHANGES = st.lists(st.sampled_from(PATHS).flatmap(changed), min_size=1, max_size=5)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(start=st.sampled_from([URL, EVERYTHING]), changes=CHANGES, kube_version=st.sampled_from(KUBERNETES_VERSIONS))
def test_mutated_values_render_valid_manifests_or_are_refused(
    start: dict[str, Any], changes: list[dict[str, Any]], kube_version: str
) -> None:
    try:
        manifests = render(with_values(start, *changes), kube_version=f"{kube_version}.0")
    except HelmRefused as refused:
        assert any(reason in str(refused) for reason in REFUSALS), str(refused)
        return
    assert errors(manifests, kube_version) == []
    assert [problem for problem in restricted_violations(manifests) if "hostPath" not in problem] == []
