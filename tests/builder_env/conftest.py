"""One small repository, built once from a plan with every kind of CPU variant."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from model_repo_builder import plan
from model_repo_builder.build import build
from model_repo_builder.report import Report

ROOT = Path(__file__).parents[2]
BASE: dict[str, Any] = yaml.safe_load((ROOT / "plans" / "tiny.yaml").read_text())
BASE["model"]["input"]["size"] = [32, 32]  # a build here is about what is built, not how fast it runs
BASE["variants"].append(
    {"name": "bytes", "engine": "onnxruntime", "input_dtype": "uint8", "agreement": {"min_top1": 1.0}}
)


@pytest.fixture
def raw() -> dict[str, Any]:
    """The plan of the repository, to change."""
    return deepcopy(BASE)


@pytest.fixture
def report() -> Report:
    """A report that prints nothing."""
    return Report(Console(), quiet=True)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model repository; tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("built") / "repository"
    build(plan.parse(deepcopy(BASE)), folder, Report(Console(), quiet=True))
    return folder
