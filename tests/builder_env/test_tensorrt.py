"""TensorRT where there is none: what is refused and why, what trtexec is asked for, half precision in ONNX Runtime."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console
from tensorrt_package import package

from model_repo_builder.build.directory import build
from model_repo_builder.engines import gpu, tensorrt, tensorrt_plan
from model_repo_builder.errors import BuildError, UnsupportedError
from model_repo_builder.plan.file import parse_plan
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
    tensorrt_plan.module.cache_clear()


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
        BuildError, match=r"^variants\.half\.engine: tensorrt \(neither trtexec .*; allowed: TensorRT 8\.6 or newer"
    ):
        build(parse_plan(raw), tmp_path / "models", BuildLog(Console(), quiet=True))
    assert not (tmp_path / "models").exists()


def test_a_tensorrt_that_is_too_old_is_named_with_its_version(trtexec: Callable[[str], None]) -> None:
    trtexec(TRTEXEC.replace("v100800", "v8503"))
    assert str(tensorrt.unavailable(None)).startswith("tensorrt (found TensorRT 8.5.3); allowed: TensorRT 8.6 or newer")


def test_a_package_without_its_libraries_is_none(
    raw: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "tensorrt"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libnvinfer.so.8')")
    (tmp_path / "tensorrt-8.6.0.dist-info").mkdir()
    (tmp_path / "tensorrt-8.6.0.dist-info" / "METADATA").write_text("Name: tensorrt\nVersion: 8.6.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    tensorrt_plan.module.cache_clear()
    assert tensorrt_plan.module() is None and not tensorrt.executes_here()


def test_a_missing_gpu_and_one_of_another_kind_are_refused(
    trtexec: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trtexec(TRTEXEC)
    monkeypatch.setattr(gpu, "of_driver", lambda: None)
    assert "tensorrt (no GPU is found)" in str(tensorrt.unavailable(None))
    monkeypatch.setattr(gpu, "of_driver", lambda: T4)
    assert "the plan's compute_capability is 9.0, the Tesla T4 has 7.5" in str(tensorrt.unavailable("9.0"))
    assert tensorrt.unavailable("7.5") is None


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


@pytest.mark.parametrize(
    ("version", "precision", "flags"),
    [
        ((8, 6, 1), "fp32", ()),
        ((8, 6, 1), "fp16", ("fp16",)),
        ((8, 6, 1), "int8", ("fp16", "int8")),
        ((10, 8, 0), "fp32", ("stronglyTyped",)),
        ((10, 8, 0), "fp16", ("stronglyTyped",)),
        ((10, 8, 0), "int8", ("fp16", "int8")),
        ((11, 1, 0), "int8", ("stronglyTyped",)),
    ],
)
def test_types_are_chosen_by_the_graph_where_tensorrt_can_and_by_flags_where_it_can_t(
    version: tuple[int, int, int], precision: str, flags: tuple[str, ...]
) -> None:
    assert tensorrt_plan.flags(version, precision) == flags


def _wanted(shapes: tuple[tensorrt_plan.Profile, ...], flags: tuple[str, ...] = ()) -> tensorrt_plan.Wanted:
    return tensorrt_plan.Wanted(Path("m.onnx"), shapes, flags, workspace_mb=1024, level=3)


def _signature(*inputs: Tensor, batched: bool = True) -> Signature:
    return Signature(inputs, (Tensor("scores", "float32", (4,)),), batched)


@pytest.mark.parametrize(
    ("version", "flags", "network"),
    [
        ("8.6.0", ("fp16", "int8"), ["network 1", "flag FP16", "flag INT8"]),
        ("8.6.0", (), ["network 1"]),
        ("10.8.0.43", ("stronglyTyped",), ["network 2"]),
        ("10.8.0.43", ("fp16", "int8"), ["network 0", "flag FP16", "flag INT8"]),
    ],
)
def test_the_package_is_asked_for_the_same_as_each_version_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, flags: tuple[str, ...], network: list[str]
) -> None:
    monkeypatch.setattr(tensorrt_plan, "module", lambda: package(version))
    shapes = tensorrt_plan.profiles(_signature(Tensor("image", "uint8", (8, 8, 3))), 4)
    tensorrt_plan.build(tensorrt_plan.Tool(None, (8, 6, 0)), _wanted(shapes, flags), tmp_path / "model.plan")
    asked = (tmp_path / "model.plan").read_text().splitlines()
    assert [one for one in asked if one.startswith(("network", "flag"))] == network
    assert {"graph m.onnx", "workspace 1073741824", "level 3"} <= set(asked)
    assert "image ((1, 8, 8, 3), (4, 8, 8, 3), (4, 8, 8, 3))" in asked


@pytest.mark.parametrize(
    ("graph", "reason"),
    [("unreadable.onnx", "can't read the graph: no kernel image for Foo"), ("unbuildable.onnx", "built no plan")],
)
def test_what_the_package_refuses_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graph: str, reason: str
) -> None:
    monkeypatch.setattr(tensorrt_plan, "module", lambda: package("8.6.0"))
    wanted = replace(_wanted(()), graph=Path(graph))
    with pytest.raises(BuildError, match=reason):
        tensorrt_plan.build(tensorrt_plan.Tool(None, (8, 6, 0)), wanted, tmp_path / "model.plan")
    assert not (tmp_path / "model.plan").exists()


def test_a_model_without_a_batch_needs_no_profile() -> None:
    shapes = tensorrt_plan.profiles(_signature(Tensor("image", "float32", (1, 8, 8, 3)), batched=False), 16)
    assert shapes == ()
    assert not [one for one in tensorrt_plan.arguments(_wanted(shapes), Path("m.plan")) if "Shapes" in one]


def test_a_text_is_no_input_of_a_plan() -> None:
    with pytest.raises(UnsupportedError, match=r"can't take the input text string \[\]; allowed: numbers"):
        tensorrt_plan.profiles(_signature(Tensor("text", "string", ())), 16)


def test_trtexec_is_asked_for_batches_of_one_to_the_largest_of_a_strongly_typed_network() -> None:
    signature = _signature(Tensor("input_ids", "int32", (384,)), Tensor("attention_mask", "int32", (384,)))
    wanted = _wanted(tensorrt_plan.profiles(signature, 16), ("stronglyTyped",))
    assert tensorrt_plan.arguments(wanted, Path("m.plan")) == [
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
        assert names == {"model.plan", "model.onnx", "manifest.json", "examples.jsonl.gz", "alias"}


def test_what_tensorrt_says_is_passed_on(trtexec: Callable[[str], None], tmp_path: Path) -> None:
    trtexec(TRTEXEC)
    tool = tensorrt_plan.find()
    assert tool is not None and tool.trtexec == shutil.which("trtexec")
    with pytest.raises(BuildError, match="trtexec failed: no graph"):
        tensorrt_plan.build(tool, _wanted(()), tmp_path / "model.plan")


INT8 = {"name": "quantised", "engine": "tensorrt", "precision": "int8", "device": "gpu", "input_dtype": "uint8"}


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["ngc", "python"])
def test_an_int8_graph_has_the_pairs_that_tensorrt_reads_and_agrees(
    tmp_path: Path, trtexec: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    import onnx
    from onnx import numpy_helper

    trtexec(TRTEXEC.replace("v100800", "v8601"))
    monkeypatch.setattr(gpu, "of_driver", lambda: T4)
    tiny: dict[str, Any] = yaml.safe_load((PLANS / "tiny.yaml").read_text())
    tiny["model"]["input"]["size"] = [32, 32]
    # Random weights, ten classes: chance would agree on a tenth.
    tiny |= {"runtime": runtime, "variants": [INT8 | {"agreement": {"min_top1": 0.25}}]}
    build(parse_plan(tiny), tmp_path / "models", BuildLog(Console(), quiet=True))
    version = tmp_path / "models" / "quantised" / "1"
    assert {"--fp16", "--int8"} <= set((version / "model.plan").read_text().split())
    graph = onnx.load(version / "model.onnx").graph
    assert {node.domain for node in graph.node} == {""}, "only operations that TensorRT's parser knows"
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    pairs = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    points = [constants[node.input[2]] for node in pairs]
    assert {(point.dtype.name, int(np.abs(point).max())) for point in points} == {("int8", 0)}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    makers = {name: node for node in graph.node for name in node.output}
    for node in convolutions:
        image, weights = makers[node.input[0]], makers[node.input[1]]
        assert image.op_type == weights.op_type == "DequantizeLinear"
        assert makers[weights.input[0]].op_type == "QuantizeLinear", "weights are floats before a pair of their own"
        assert constants[weights.input[1]].size == constants[makers[weights.input[0]].input[0]].shape[0]
        assert len(node.input) < 3 or constants[node.input[2]].dtype == np.float32
    followers = {name for node in pairs if node.op_type == "QuantizeLinear" for name in node.input[:1]}
    assert convolutions and not followers & {node.output[0] for node in convolutions if _feeds(graph, node) == {"Add"}}
    assert (version / "model.py").is_file() == (runtime == "python")


def _feeds(graph: Any, node: Any) -> set[str]:
    """The types of the nodes that take what a node gives."""
    return {other.op_type for other in graph.node if node.output[0] in other.input}


def test_pairs_round_as_they_say_where_a_cpu_s_own_sums_would_saturate(tmp_path: Path) -> None:
    import onnx
    from onnx import helper, numpy_helper

    from model_repo_builder.engines.onnxruntime import ARTEFACT

    steps, point = np.float32(0.01), np.int8(0)
    constants = {"weights": np.ones((64, 8), np.float32) * 1.27, "steps": steps, "point": point}
    nodes = [
        *(helper.make_node("QuantizeLinear", [name, "steps", "point"], [f"{name}_q"]) for name in ("image", "weights")),
        *(
            helper.make_node("DequantizeLinear", [f"{name}_q", "steps", "point"], [f"{name}_dq"])
            for name in ("image", "weights")
        ),
        helper.make_node("MatMul", ["image_dq", "weights_dq"], ["scores"]),
    ]
    sizes = {"image": ["batch", 64], "scores": ["batch", 8]}
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes[name]) for name in sizes]
    initialisers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "pairs", values[:1], values[1:], initialisers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / ARTEFACT)
    signature = Signature((Tensor("image", "float32", (64,)),), (Tensor("scores", "float32", (8,)),))
    found = tensorrt.ENGINE.load(tmp_path, signature)({"image": np.full((2, 64), 1.27, np.float32)})["scores"]
    assert np.allclose(found, 64 * 1.27 * 1.27, rtol=1e-5)
