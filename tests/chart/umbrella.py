"""The umbrella chart without a network: kube-prometheus-stack is an empty chart of the same version."""

import shutil
from pathlib import Path

import yaml
from render import ROOT

CHARTS = ROOT / "charts"
REPOSITORY = {"modelRepository": {"source": "url", "url": "gs://bucket/models"}}


def dependency(name: str) -> dict[str, str]:
    """One entry of the umbrella's dependencies."""
    about = yaml.safe_load((CHARTS / "inference-system/Chart.yaml").read_text())
    return next(one for one in about["dependencies"] if one["name"] == name)


def stand_in(folder: Path) -> Path:
    """A chart that renders the values it is given, in place of kube-prometheus-stack."""
    chart = folder / "kube-prometheus-stack"
    (chart / "templates").mkdir(parents=True)
    about = {"apiVersion": "v2", "name": chart.name, "version": dependency(chart.name)["version"]}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    values = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stack-values}\ndata:\n  values: |\n"
    (chart / "templates/values.yaml").write_text(values + "    {{- toYaml .Values | nindent 4 }}\n")
    return chart


def assemble(folder: Path) -> Path:
    """The umbrella in `folder` with all of its dependencies unpacked."""
    chart = folder / "inference-system"
    shutil.copytree(CHARTS / "inference-system", chart, ignore=shutil.ignore_patterns("charts"))
    for part in ("triton", "locust"):
        shutil.copytree(CHARTS / part, chart / "charts" / part)
    stand_in(chart / "charts")
    return chart
