"""The commands of docs/gke.md: all of them run in bash, and what they install renders."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from render import ROOT, Loader, tools
from umbrella import assemble
from validation import errors, restricted_violations

# Cloud and cluster are not there: their commands say nothing, and an installation is rendered to a numbered file.
STUBS = """
set -euo pipefail
gcloud() { if [ "$1 $2" = "config get-value" ]; then echo some-project; fi; }
kubectl() { :; }
docker() { :; }
helm() {
  if [ "$1 $2" != "upgrade --install" ]; then return; fi
  local release=$3; shift 4
  installed=$((${installed:-0} + 1))
  "$HELM" template "$release" "$CHART" --kube-version 1.34.0 "$@" > "$OUT/$installed.yaml"
}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict]]:
    """The manifests of every installation that docs/gke.md makes, in its order."""
    folder = tmp_path_factory.mktemp("gke")
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/gke.md").read_text(), re.DOTALL)
    environment = {
        "HELM": str(tools.helm()),
        "CHART": str(assemble(folder)),
        "OUT": str(folder),
        "PATH": "/usr/bin:/bin",
    }
    script = STUBS + "\n".join(blocks)
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    files = sorted(folder.glob("*.yaml"), key=lambda path: int(path.stem))
    return [[item for item in yaml.load_all(path.read_text(), Loader) if item] for path in files]


def test_every_installation_is_valid_and_restricted(installed: list[list[dict]]) -> None:
    assert len(installed) == 6
    for manifests in installed:
        assert errors(manifests) == []
        assert restricted_violations(manifests) == []


def test_workload_identity_is_bound_to_the_service_account_of_the_release(installed: list[list[dict]]) -> None:
    account = next(item for item in installed[0] if item["kind"] == "ServiceAccount")
    bound = re.search(r"svc\.id\.goog\[\$NAMESPACE/([a-z-]+)\]", (ROOT / "docs/gke.md").read_text())
    assert bound is not None
    assert account["metadata"]["name"] == bound[1]
    address = "triton@some-project.iam.gserviceaccount.com"
    assert account["metadata"]["annotations"] == {"iam.gke.io/gcp-service-account": address}


def test_steps_install_what_they_say(installed: list[list[dict]]) -> None:
    kinds = [{item["kind"] for item in manifests} for manifests in installed]
    assert "Job" in kinds[1]
    assert "ScaledObject" in kinds[4]
    assert {"Gateway", "HTTPRoute", "HealthCheckPolicy"} <= kinds[5]


@pytest.mark.parametrize("document", sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")), ids=str)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / document.parent / target).exists(), target
