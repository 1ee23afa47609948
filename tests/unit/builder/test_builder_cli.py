"""The command: exit status 2 and one line on stderr for what is wrong, before TensorFlow is imported."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_repo_builder.cli import main
from model_repo_builder.engines import cpu

PLANS = Path(__file__).parents[3] / "plans"


@pytest.fixture
def written(tmp_path: Path, raw: dict[str, Any]) -> Path:
    """The plan of these tests as a file."""
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr of a command that ends with status 2."""
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_a_valid_plan_is_said_to_be_valid(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(written)]) == 0
    assert "valid; runtime python; variants original, fast" in capsys.readouterr().out


def test_bf16_on_a_cpu_without_it_is_said_by_validate(
    tmp_path: Path, raw: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cpu, "CPU_FLAGS", tmp_path / "cpuinfo")
    raw["variants"] = [{"name": "half", "engine": "openvino", "precision": "bf16"}]
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(raw))
    (tmp_path / "cpuinfo").write_text("flags\t\t: avx2 avx512f\n")
    assert main(["validate", str(tmp_path / "plan.yaml")]) == 0
    assert capsys.readouterr().out.startswith("WARNING: variants.half: this CPU has no BF16 (AVX-512 BF16 or AMX): ")
    (tmp_path / "cpuinfo").write_text("flags\t\t: avx512f avx512_bf16\n")
    assert main(["validate", str(tmp_path / "plan.yaml")]) == 0
    assert "WARNING" not in capsys.readouterr().out


def test_an_invalid_plan_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.yaml").write_text("variants: 3")
    line = refused(capsys, "validate", str(tmp_path / "plan.yaml"))
    assert line.startswith("model-repo-builder: error: model: missing; allowed: ")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("absent", "does not exist"),
        ("empty", "holds no saved_model.pb"),
        ("ftp://host/model", "s3://BUCKET/PATH or gs://BUCKET/PATH"),
    ],
)
def test_a_source_that_is_no_savedmodel_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: dict[str, Any], source: str, reason: str
) -> None:
    (tmp_path / "empty").mkdir()
    raw["model"] = {"name": "own", "source": source}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(raw))
    line = refused(capsys, "validate", str(tmp_path / "plan.yaml"))
    assert line.startswith("model-repo-builder: error: model.source: ")
    assert reason in line


def test_an_output_that_is_a_file_stops_the_build(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--output: " in refused(capsys, "build", str(written), "--output", str(written))


def test_a_directory_without_variants_cannot_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds no variant" in refused(capsys, "show", str(tmp_path))


def test_config_prints_the_published_ladder_without_building(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", str(PLANS / "resnet50-t4.yaml")]) == 0
    assert "# tftrt_int8_bs16_count4/config.pbtxt" in capsys.readouterr().out


def test_checks_do_not_import_tensorflow(written: Path) -> None:
    code = (
        "import sys; from model_repo_builder.cli import main; main(sys.argv[1:]); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, "validate", str(written)], check=False).returncode == 0


def test_only_without_a_name_builds_nothing(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--only: ,; allowed: names of variants" in refused(capsys, "build", str(written), "--output=m", "--only=,")
