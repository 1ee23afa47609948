"""Values for kube-prometheus-stack are compared with those that the chart has."""

import io
import tarfile
from pathlib import Path

import pytest
import stack_values
import yaml
from render import ROOT

OURS = yaml.safe_load((ROOT / "charts/inference-system/values.yaml").read_text())[stack_values.STACK]


def archive(folder: Path, stack: dict, grafana: dict) -> Path:
    """An archive as Helm makes it, with default values for the stack and its Grafana."""
    path = folder / "stack.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for name, values in (("values.yaml", stack), ("charts/grafana/values.yaml", grafana)):
            content = yaml.safe_dump(values).encode()
            entry = tarfile.TarInfo(f"{stack_values.STACK}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def without_grafana() -> dict:
    return {key: value for key, value in OURS.items() if key != "grafana"}


def test_values_that_exist_pass(tmp_path: Path) -> None:
    assert stack_values.main([str(archive(tmp_path, without_grafana(), OURS["grafana"]))]) == 0


def test_a_value_of_a_part_may_stand_in_the_stack_or_in_the_part(tmp_path: Path) -> None:
    stack = {**without_grafana(), "grafana": {"sidecar": OURS["grafana"]["sidecar"]}}
    assert stack_values.main([str(archive(tmp_path, stack, {"testFramework": {"enabled": True}}))]) == 0


def test_a_renamed_value_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    stack = {**without_grafana(), "nodeExporter": {"deploy": True}}
    assert stack_values.main([str(archive(tmp_path, stack, OURS["grafana"]))]) == 1
    assert "kube-prometheus-stack.nodeExporter.enabled: not a value of" in capsys.readouterr().err
