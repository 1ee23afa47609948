"""A SavedModel as TF-TRT saved it: which engines are in it, and that a server builds no others."""

from __future__ import annotations

from pathlib import Path

from model_repo_builder.engines.tftrt_graph import ENGINE_OP

# TF-TRT writes a file for every engine that it has, and for one that could not be built a few bytes without an engine.
ENGINE_FILES = "assets/trt-serialized-engine.*"
SMALLEST_ENGINE_BYTES = 1024


def engines(savedmodel: Path) -> int:
    """How many engines are stored."""
    return sum(path.stat().st_size >= SMALLEST_ENGINE_BYTES for path in savedmodel.glob(ENGINE_FILES))


def forbid_building(savedmodel: Path) -> None:
    """Have a batch that no engine takes run in TensorFlow at once, instead of wait for a new engine."""
    from tensorflow.core.protobuf import saved_model_pb2

    path = savedmodel / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta in saved.meta_graphs:
        bodies = [meta.graph_def.node, *(function.node_def for function in meta.graph_def.library.function)]
        for node in (node for body in bodies for node in body if node.op == ENGINE_OP):
            node.attr["_allow_build_at_runtime"].b = False
    path.write_bytes(saved.SerializeToString())
