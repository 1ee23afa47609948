"""ci/kind.yaml and the commands for kind in tests/integration/README.md fit the charts and the other scripts."""

import re
import subprocess

import yaml
from render import ROOT
from umbrella import dependency

WORKERS = [node for node in yaml.safe_load((ROOT / "ci/kind.yaml").read_text())["nodes"] if node["role"] == "worker"]
README = (ROOT / "tests/integration/README.md").read_text()


def version_of(chart: str, text: str) -> str:
    """The version of a chart that a command of the text installs."""
    found = re.search(rf"upgrade --install \S+ {chart} [^#]*?--version (\S+)", text)
    assert found is not None, chart
    return found[1]


def test_workers_are_in_different_zones() -> None:
    zones = [worker["labels"]["topology.kubernetes.io/zone"] for worker in WORKERS]
    assert len(set(zones)) == len(zones) >= 2


def test_first_worker_is_one_that_the_t4_values_select() -> None:
    wanted = yaml.safe_load((ROOT / "values/gke-t4.yaml").read_text())["placement"]["nodeSelector"]
    assert wanted.items() <= WORKERS[0]["labels"].items()
    assert "kubectl patch node inference-worker " in README


def test_charts_have_the_versions_that_the_product_uses() -> None:
    stack = "kube-prometheus-stack"
    assert version_of(stack, README) == dependency(stack)["version"]
    assert version_of("keda", README) == version_of("keda", (ROOT / "ci/gke/test.sh").read_text())


def test_the_script_installs_the_operators_of_the_readme() -> None:
    script = (ROOT / "ci/kind.sh").read_text()
    assert version_of("keda", script) == version_of("keda", README)
    assert version_of("kube-prometheus-stack", script) == '"$version"'
    lines = [line for line in script.splitlines() if line.startswith(("chart=", "version="))]
    command = ["bash", "-c", "; ".join([*lines, "echo $version"])]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    assert shown == dependency("kube-prometheus-stack")["version"]
