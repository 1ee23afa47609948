"""TF-TRT where there is no GPU: what is refused and why, and everything about it that needs none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import savedmodel_kinds as kinds

from model_repo_builder.build.directory import build
from model_repo_builder.engines import gpu, tftrt, tftrt_graph, tftrt_saved
from model_repo_builder.engines.base import Job
from model_repo_builder.errors import BuildError, UnsupportedError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.report import BuildLog
from model_repo_builder.signature import OPEN, STRING, Signature, Tensor


def test_a_tensorflow_without_tensorrt_is_named_before_any_work(
    tmp_path: Path, raw: dict[str, Any], log: BuildLog
) -> None:
    raw["variants"] = [{"name": "trt", "engine": "tftrt", "device": "gpu"}]
    with pytest.raises(BuildError, match=r"^variants\.trt\.engine: tftrt \(this TensorFlow .* without TensorRT\)"):
        build(parse_plan(raw), tmp_path / "repository", log)
    assert not (tmp_path / "repository").exists()


def test_versions_of_tensorrt_that_do_not_fit_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils as versions

    monkeypatch.setattr(versions, "is_tensorrt_enabled", lambda: True)
    monkeypatch.setattr(versions, "get_linked_tensorrt_version", lambda: (8, 6, 1))
    monkeypatch.setattr(versions, "get_loaded_tensorrt_version", lambda: (10, 0, 0))
    reason = tftrt.unavailable(None)
    assert reason is not None and reason.startswith("tftrt (TensorFlow wants TensorRT 8.6.1, found 10.0.0: ")


def test_a_missing_gpu_and_a_gpu_of_another_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tftrt, "tensorrt_missing", lambda: None)
    monkeypatch.setattr(gpu, "find", lambda: None)
    assert "no GPU is found" in str(tftrt.unavailable(None))
    monkeypatch.setattr(gpu, "find", lambda: gpu.Gpu("NVIDIA L4", "8.9"))
    assert "compute_capability is 7.5, the NVIDIA L4 has 8.9" in str(tftrt.unavailable("7.5"))
    assert tftrt.unavailable("8.9") is None and tftrt.unavailable(None) is None


def _job(tmp_path: Path, **options: Any) -> Job:
    signature = Signature((Tensor("image", "float32", (4, 4, 3)),), (Tensor("probabilities", "float32", (10,)),))
    return Job(
        savedmodel=tmp_path,
        signature=signature,
        base=tmp_path,
        base_signature=signature,
        precision="int8",
        options=tftrt.TFTRTOptions(**options),
        calibration={"image": np.arange(50 * 48, dtype=np.uint32).astype(np.uint8).reshape(50, 4, 4, 3)},
        max_batch_size=16,
        folder=tmp_path,
    )


def test_calibration_batches_all_have_one_size(tmp_path: Path) -> None:
    batches = [batch["image"] for batch in tftrt._calibration(_job(tmp_path), 16)()]
    assert [(len(batch), batch.dtype.name) for batch in batches] == [(16, "float32")] * 3


def test_engines_cover_one_image_to_the_largest_batch(tmp_path: Path) -> None:
    assert tftrt.largest_batch(tftrt.TFTRTOptions(), 16) == 16
    assert tftrt.largest_batch(tftrt.TFTRTOptions(profile_max_batch=64), 16) == 64
    assert [len(batch["image"]) for batch in tftrt._profile(_job(tmp_path), 64)] == [1, 64]


def _job_of(source: Path, signature: Signature) -> Job:
    return Job(
        savedmodel=source,
        signature=signature,
        base=source,
        base_signature=signature,
        precision="fp16",
        options=tftrt.TFTRTOptions(),
        calibration=None,
        max_batch_size=4,
        folder=source,
    )


def _shapes(job: Job) -> list[dict[str, tuple[int, ...]]]:
    return [{name: array.shape for name, array in feed.items()} for feed in tftrt._profile(job, 4)]


def test_engines_cover_every_input_from_the_least_length_to_the_example_s(tmp_path: Path) -> None:
    inputs = (Tensor("sequence", "float32", (OPEN, 4), sample_shape=(32, 4)),)
    signature = Signature(inputs, (Tensor("output_0", "float32", (3,)),))
    lengths = [feed["sequence"] for feed in _shapes(_job_of(kinds.recurrent(tmp_path / "m"), signature))]
    assert lengths == [(1, 1, 4), (1, 32, 4), (4, 1, 4), (4, 32, 4)]


def test_a_length_that_the_model_refuses_is_no_part_of_an_engine(tmp_path: Path) -> None:
    inputs = (Tensor("sequence", "float32", (OPEN, 4), sample_shape=(32, 4)), Tensor("gain", "float32", ()))
    signature = Signature(inputs, (Tensor("p", "float32", (2,)),))
    found = _shapes(_job_of(kinds.convolved(tmp_path / "m"), signature))
    assert found == [{"sequence": (rows, 32, 4), "gain": (rows,)} for rows in (1, 4)]


def test_a_model_without_a_batch_is_built_for_its_own_shapes(tmp_path: Path) -> None:
    signature = Signature((Tensor("image", "float32", (1, 16, 16, 3)),), (Tensor("p", "float32", (1, 5)),), False)
    assert _shapes(_job_of(tmp_path, signature)) == [{"image": (1, 16, 16, 3)}]


def test_texts_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="TensorRT has no texts, and name is string; allowed: engine tensorflow"):
        tftrt._refuse_texts(Signature((Tensor("name", STRING, ()),), ()))


def test_nodes_outside_tensorrt_are_counted_by_type() -> None:
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    for name, op in (("image", "Placeholder"), ("cast", "Cast"), ("engine", "TRTEngineOp"), ("softmax", "Softmax")):
        graph.node.add(name=name, op=op)
    graph.node[2].attr["segment_func"].func.name = "engine_native_segment"
    segment = graph.library.function.add()
    segment.signature.name = "engine_native_segment"
    for op in ("Conv2D", "Relu", "Const"):
        segment.node_def.add(name=op, op=op)
    split = tftrt_graph.split(graph)
    assert (split.engines, split.inside, split.outside_text()) == (1, 2, "Cast 1, Softmax 1")


def _saved(tmp_path: Path) -> Path:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    function = saved.meta_graphs.add().graph_def.library.function.add()
    node = function.node_def.add(name="engine", op="TRTEngineOp")
    node.attr["_allow_build_at_runtime"].b = True
    function.node_def.add(name="cast", op="Cast")
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    return tmp_path


def test_a_server_is_forbidden_to_build_engines(tmp_path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    tftrt_saved.forbid_building(_saved(tmp_path))
    saved = saved_model_pb2.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
    engine, cast = saved.meta_graphs[0].graph_def.library.function[0].node_def
    assert not engine.attr["_allow_build_at_runtime"].b
    assert not cast.attr


def test_an_engine_that_was_not_built_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "trt-serialized-engine.TRTEngineOp_000_000").write_bytes(bytes(5000))
    (tmp_path / "assets" / "trt-serialized-engine.TRTEngineOp_000_001").write_bytes(bytes(10))
    assert tftrt_saved.engines(tmp_path) == 1
