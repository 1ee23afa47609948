"""The commands of docs/tutorials/gke.md: all of them run in bash, and what they install renders."""

import re
import subprocess

import pytest
import yaml
from cloud import Cloud, programs
from render import ROOT, Loader, kinds, one, tools
from umbrella import assemble
from validation import errors, restricted_violations


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict]]:
    """The manifests of every installation that the page for GKE makes, in its order, in a cloud that only remembers."""
    folder = tmp_path_factory.mktemp("gke")
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/tutorials/gke.md").read_text(), re.DOTALL)
    cloud = Cloud(folder / "cloud")
    environment = {
        "HELM": str(tools.helm()),
        "CHART": str(assemble(folder)),
        "CLOUD": str(cloud.folder),
        "PATH": f"{programs(folder / 'bin')}:/usr/bin:/bin",
    }
    script = "set -euo pipefail\n" + "\n".join(blocks)
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert cloud.resources() == set(), "the clean-up leaves nothing"
    files = sorted(cloud.folder.glob("*.yaml"), key=lambda path: int(path.stem))
    return [[item for item in yaml.load_all(path.read_text(), Loader) if item] for path in files]


@pytest.mark.slow
def test_every_installation_is_valid_and_restricted(installed: list[list[dict]]) -> None:
    assert len(installed) == 10
    for manifests in installed:
        assert errors(manifests) == []
        assert restricted_violations(manifests) == []


@pytest.mark.slow
def test_workload_identity_is_bound_to_the_service_account_of_the_release(installed: list[list[dict]]) -> None:
    account = one(installed[0], "ServiceAccount", "-triton")
    bound = re.search(r"svc\.id\.goog\[\$NAMESPACE/([a-z-]+)\]", (ROOT / "ci/gke/create.sh").read_text())
    assert bound is not None
    assert account["metadata"]["name"] == bound[1]
    address = "inference-triton@some-project.iam.gserviceaccount.com"
    assert account["metadata"]["annotations"] == {"iam.gke.io/gcp-service-account": address}


@pytest.mark.slow
def test_steps_install_what_they_say(installed: list[list[dict]]) -> None:
    there = [set(kinds(manifests)) for manifests in installed]
    assert "Job" in there[1]
    # the proof of scaling: without load, under load, without
    assert all("ScaledObject" in step for step in there[4:7])
    assert ["system-locust-worker" in {item["metadata"]["name"] for item in step} for step in installed[4:7]] == [
        False,
        True,
        False,
    ]
    assert {"Gateway", "HTTPRoute", "HealthCheckPolicy", "GCPBackendPolicy"} <= there[7]
    assert "ServiceExport" in there[8] and "Gateway" not in there[8]
    assert one(installed[9], "Gateway")["spec"]["gatewayClassName"].endswith("-mc")
