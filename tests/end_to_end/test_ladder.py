"""From a plan to a measured ladder: built, served by the real tritonserver, loaded by Locust, reported."""

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import Completed, run_tuner

pytestmark = pytest.mark.measures


@pytest.fixture(scope="module")
def ladder(repository: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Completed, Path]:
    """A quick ladder of two models."""
    output = tmp_path_factory.mktemp("ladder")
    done = run_tuner(
        [
            "ladder",
            f"--repository={repository}",
            "--models=onnx_fp32,onnx_int8",
            f"--server-python={server_python}",
            "--objective=p95<=400ms",
            "--effort=smoke",
            f"--output={output}",
        ]
    )
    assert done.returncode == 0, done.stderr
    return done, output


@pytest.fixture(scope="module")
def results(ladder: tuple[Completed, Path]) -> dict[str, Any]:
    """results.json."""
    parsed: dict[str, Any] = json.loads((ladder[1] / "results.json").read_text())
    return parsed


def test_every_model_keeps_the_objective_up_to_a_rate(results: dict[str, Any]) -> None:
    assert [model["model"] for model in results["models"]] == ["onnx_fp32", "onnx_int8"]
    for model in results["models"]:
        assert model["rate_per_s"] > 2, model["model"]  # hundreds on cores of its own
        valid = [point for point in model["points"] if point["purpose"] == "confirm" and not point["invalid_reason"]]
        confirmed = [point for point in valid if point["rate_per_s"] == model["rate_per_s"]]
        assert sum(p["misses"] for p in confirmed) <= 0.05 * sum(p["requests"] for p in confirmed)


def test_the_server_s_own_counters_explain_each_point(results: dict[str, Any]) -> None:
    for model in results["models"]:
        for point in model["points"]:
            assert point["server"]["requests"] > 0
            assert point["server"]["compute_infer_ms"] > 0
            assert point["server"]["batch_size"] >= 1


def test_the_raw_rows_give_the_summary_again(ladder: tuple[Completed, Path], results: dict[str, Any]) -> None:
    point = results["models"][1]["points"][0]
    with gzip.open(ladder[1] / point["rows_file"], "rt") as file:
        rows = list(csv.DictReader(file))
    late = sum(float(row["done_ms"]) - float(row["due_ms"]) > 400 or row["ok"] == "0" for row in rows)
    assert (len(rows), late) == (point["requests"], point["misses"])


def test_the_manifests_of_the_builder_are_kept_with_the_results(results: dict[str, Any]) -> None:
    assert results["models"][1]["manifest"]["precision"] == "int8"
    assert results["run"]["client"]["cpu"] and results["run"]["server"]["version"]


def test_the_terminal_shows_the_ladder(ladder: tuple[Completed, Path]) -> None:
    assert re.search(r"│ onnx_int8 +│ +(>= )?\d", ladder[0].stdout)
    assert "certain" in ladder[0].stderr or "close" in ladder[0].stderr


def test_the_report_is_made_again_from_the_results_alone(ladder: tuple[Completed, Path], tmp_path: Path) -> None:
    alone = tmp_path / "results.json"
    alone.write_bytes((ladder[1] / "results.json").read_bytes())
    assert run_tuner(["report", str(alone)]).returncode == 0
    page = (tmp_path / "report.html").read_text()
    assert page == (ladder[1] / "report.html").read_text()
    assert page.count("<figure>") == 4 and "predicted classes mean nothing" in page
    assert not re.search(r"(src|href)=[\"']?https?:", page), "the page must be self-contained"
