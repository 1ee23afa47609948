"""Small repositories, built once: every kind of CPU variant, and real weights."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from object_storage import gs, gs_port, s3, s3_port, url
from rich.console import Console

from model_repo_builder.build.directory import build
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.report import BuildLog

__all__ = ["gs", "gs_port", "s3", "s3_port", "url"]

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
def log() -> BuildLog:
    """A log that prints nothing."""
    return BuildLog(Console(), quiet=True)


@pytest.fixture
def settled_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and devices cannot be set once TensorFlow runs, as it does in this process: they stay as they are."""
    import tensorflow as tf

    for setting in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, setting, lambda count: None)
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda devices, kind: None)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model repository; tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("built") / "repository"
    build(parse_plan(deepcopy(BASE)), folder, BuildLog(Console(), quiet=True))
    return folder


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plans/efficientnet-lite0-cpu.yaml in FP32 and INT8, on small images and few of them."""
    raw = yaml.safe_load((ROOT / "plans" / "efficientnet-lite0-cpu.yaml").read_text())
    raw["model"]["input"] = {"size": [128, 128]}
    raw["calibration"]["count"] = raw["agreement"]["count"] = 12
    raw["variants"][2]["agreement"] = {}
    folder = tmp_path_factory.mktemp("pretrained") / "repository"
    build(parse_plan(raw, only=["original", "onnx_int8"]), folder, BuildLog(Console(), quiet=True))
    return folder
