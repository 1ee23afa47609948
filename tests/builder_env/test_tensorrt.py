"""TensorRT where there is none: what is refused and why, what trtexec is asked for, half precision in ONNX Runtime."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console

from model_repo_builder.build.directory import build
from model_repo_builder.engines import gpu, tensorrt, tensorrt_plan
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.plan.schema import parse_plan
from model_repo_builder.report import BuildLog
from model_repo_builder.signature import OPEN, Signature, Tensor

PLANS = Path(__file__).parents[2] / "plans"
T4 = gpu.Gpu("Tesla T4", "7.5")
# Answers as trtexec does, and instead of a plan writes what it was asked for.
TRTEXEC = """#!/bin/sh
echo "&&&& RUNNING TensorRT.trtexec [TensorRT v100800] # $0 $*"
for one in "$@"; do
    case $one in
        --onnx=*) [ -s "${one#*=}" ] || { echo "[11/21/2026-10:00:00] [E] no graph"; exit 1; } ;;
        --saveEngine=*) printf '%s\\n' "$@" >"${one#*=}" ;;
    esac
done
"""


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    """What was found here is not what the next test finds."""
    yield
    tensorrt_plan.find.cache_clear()


@pytest.fixture
def trtexec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program called trtexec on PATH."""

    def put(script: str) -> None:
        program = tmp_path / "bin" / "trtexec"
        program.parent.mkdir()
        program.write_text(script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        tensorrt_plan.find.cache_clear()

    return put


@pytest.fixture
def raw() -> dict[str, Any]:
    """plans/tiny-bert.yaml with TensorRT in half precision."""
    parsed: dict[str, Any] = yaml.safe_load((PLANS / "tiny-bert.yaml").read_text())
    half = {"name": "half", "engine": "tensorrt", "precision": "fp16", "device": "gpu"}
    return parsed | {"runtime": "ngc", "variants": [half | {"agreement": {"min_top1": 0.9, "max_abs_diff": 0.01}}]}


def test_a_machine_without_tensorrt_is_told_what_is_allowed(raw: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(
        BuildError, match=r"^variants\.half\.engine: tensorrt \(neither trtexec .*; allowed: TensorRT 10"
    ):
        build(parse_plan(raw), tmp_path / "models", BuildLog(Console(), quiet=True))
    assert not (tmp_path / "models").exists()


def test_a_tensorrt_that_is_too_old_is_named_with_its_version(trtexec: Callable[[str], None]) -> None:
    trtexec(TRTEXEC.replace("v100800", "v8601"))
    assert str(tensorrt.unavailable(None)).startswith("tensorrt (found TensorRT 8.6.1); allowed: TensorRT 10 or newer")


def test_a_missing_gpu_and_one_of_another_kind_are_refused(
    trtexec: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trtexec(TRTEXEC)
    monkeypatch.setattr(gpu, "of_driver", lambda: None)
    assert "tensorrt (no GPU is found)" in str(tensorrt.unavailable(None))
    monkeypatch.setattr(gpu, "of_driver", lambda: T4)
    assert "the plan's compute_capability is 9.0, the Tesla T4 has 7.5" in str(tensorrt.unavailable("9.0"))
    assert tensorrt.unavailable("7.5") is None


def test_the_python_runtime_has_no_loader_for_plans(raw: dict[str, Any]) -> None:
    with pytest.raises(InvalidError, match=r"engine: tensorrt under runtime python; allowed: runtime ngc for engine"):
        parse_plan(raw | {"runtime": "python"})


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ("[TensorRT v100800] [b43]", (10, 8, 0)),
        ("[TensorRT v101303]", (10, 13, 3)),
        ("[TensorRT v8601]", (8, 6, 1)),
        ("", None),
    ],
)
def test_the_version_is_read_from_the_banner(banner: str, version: tuple[int, int, int] | None) -> None:
    assert tensorrt_plan.parse_version(f"&&&& RUNNING TensorRT.trtexec {banner} # trtexec --help") == version


def test_trtexec_is_asked_for_batches_of_one_to_the_largest_of_a_strongly_typed_network() -> None:
    inputs = (Tensor("input_ids", "int32", (384,)), Tensor("attention_mask", "int32", (384,)))
    shapes = tensorrt_plan.profiles(Signature(inputs, ()), 16)
    assert tensorrt_plan.arguments(Path("m.onnx"), Path("m.plan"), shapes, 1024, 3) == [
        "--onnx=m.onnx",
        "--saveEngine=m.plan",
        "--stronglyTyped",
        "--minShapes=input_ids:1x384,attention_mask:1x384",
        "--optShapes=input_ids:16x384,attention_mask:16x384",
        "--maxShapes=input_ids:16x384,attention_mask:16x384",
        "--memPoolSize=workspace:1024",
        "--builderOptimizationLevel=3",
        "--skipInference",
    ]


def test_open_sizes_reach_from_one_to_the_example_s_and_no_batch_is_added_where_there_is_none() -> None:
    text = Tensor("tokens", "int32", (OPEN,), sample_shape=(96,))
    (profile,) = tensorrt_plan.profiles(Signature((text,), ()), 8)
    assert (profile.least, profile.best, profile.most) == ((1, 1), (8, 96), (8, 96))
    (alone,) = tensorrt_plan.profiles(Signature((text,), (), batched=False), 8)
    assert (alone.least, alone.best, alone.most) == ((1,), (96,), (96,))


@pytest.mark.slow
@pytest.mark.parametrize("source", ["bert-base-uncased", "distilbert-base-uncased"])
def test_a_plan_is_built_from_a_graph_in_half_precision_that_agrees(
    raw: dict[str, Any],
    tmp_path: Path,
    trtexec: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    import onnx

    trtexec(TRTEXEC)
    monkeypatch.setattr(gpu, "of_driver", lambda: T4)
    if source.startswith("distil"):
        raw["model"]["arguments"] = {"n_layers": 2, "dim": 32, "n_heads": 2, "hidden_dim": 64, "vocab_size": 1000}
    raw["model"]["source"] = f"huggingface:{source}"
    rows = build(parse_plan(raw), tmp_path / "models", BuildLog(Console(), quiet=True))
    version = tmp_path / "models" / "half" / "1"
    assert "--optShapes=input_ids:16x64" in (version / "model.plan").read_text()
    weights = [one for one in onnx.load(version / "model.onnx").graph.initializer if len(one.dims) == 2]
    assert {one.data_type for one in weights} == {onnx.TensorProto.FLOAT16}
    made = json.loads((version / "manifest.json").read_text())
    assert (made["notes"]["tensorrt"], made["notes"]["gpu"]) == ("10.8.0", "Tesla T4, compute capability 7.5")
    assert np.isfinite(rows[0].manifest.agreement.max_abs_diff)
    assert 'backend: "tensorrt"' in (tmp_path / "models" / "half" / "config.pbtxt").read_text()


@pytest.mark.slow
def test_the_graph_stays_beside_the_plan_when_only_the_configuration_changes(
    raw: dict[str, Any], tmp_path: Path, trtexec: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trtexec(TRTEXEC)
    monkeypatch.setattr(gpu, "of_driver", lambda: T4)
    for instances, action in ((1, "built"), (2, "config rewritten")):
        raw["variants"][0]["instances"] = instances
        rows = build(parse_plan(raw), tmp_path / "models", BuildLog(Console(), quiet=True))
        assert rows[0].action == action
        names = {path.name for path in (tmp_path / "models" / "half" / "1").iterdir()}
        assert names == {"model.plan", "model.onnx", "manifest.json", "alias"}


def test_what_tensorrt_says_is_passed_on(trtexec: Callable[[str], None], tmp_path: Path) -> None:
    trtexec(TRTEXEC)
    tool = tensorrt_plan.find()
    assert tool is not None and tool.trtexec == shutil.which("trtexec")
    with pytest.raises(BuildError, match="trtexec failed: no graph"):
        tensorrt_plan.build(tool, tmp_path / "absent.onnx", tmp_path / "model.plan", (), 1024, 3)
