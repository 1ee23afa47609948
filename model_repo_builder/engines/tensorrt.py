"""TensorRT: the frozen graph as ONNX, in half precision where asked for, built into a plan file for one kind of GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from model_repo_builder.engines import gpu, onnxruntime, tensorrt_plan
from model_repo_builder.engines.base import Engine, Job, Options
from model_repo_builder.signature import Signature

if TYPE_CHECKING:
    from model_repo_builder.engines.base import Predict

ARTEFACT = "model.plan"


class TensorRTOptions(Options):
    """Memory that TensorRT may use while it chooses kernels, and how long it looks for them (0 to 5)."""

    workspace_mb: int = Field(default=4096, ge=1, le=1_048_576)
    optimization_level: int = Field(default=3, ge=0, le=5)


def unavailable(compute_capability: str | None) -> str | None:
    """Why no plan can be built here: no tool, one that is too old, no GPU, or another GPU than the plan's."""
    tool = tensorrt_plan.find()
    if tool is None:
        return f"tensorrt (neither trtexec nor the Python package tensorrt is here); allowed: {tensorrt_plan.ALLOWED}"
    if tool.version[0] < tensorrt_plan.OLDEST_MAJOR:
        return f"tensorrt (found TensorRT {tool.version_text}); allowed: {tensorrt_plan.ALLOWED}"
    found = gpu.of_driver()
    return gpu.refusal("tensorrt", found, compute_capability)


def _build(job: Job) -> dict[str, str]:
    from model_repo_builder.engines import onnx_fp16, onnx_graph

    assert isinstance(job.options, TensorRTOptions)
    tool = tensorrt_plan.find()
    assert tool is not None
    graph = job.folder / onnxruntime.ARTEFACT
    onnx_graph.write(job, graph)
    if job.precision == "fp16":
        onnx_fp16.to_half(graph)
    shapes = tensorrt_plan.profiles(job.signature, job.max_batch_size)
    job.progress(f"building a plan for batches of 1 to {job.max_batch_size} by TensorRT {tool.version_text}")
    options = job.options
    tensorrt_plan.build(tool, graph, job.folder / ARTEFACT, shapes, options.workspace_mb, options.optimization_level)
    found = gpu.of_driver()
    return {
        "tensorrt": tool.version_text,
        "gpu": f"{found.name}, compute capability {found.compute_capability}" if found else "",
        "profile": f"batches of 1 to {job.max_batch_size}",
        "agreement_of": "the ONNX graph that the plan was built from, in ONNX Runtime",
    }


def _load(folder: Path, signature: Signature) -> Predict:
    """The graph that the plan was built from: a plan runs on its own kind of GPU alone, and needs one for a check."""
    return onnxruntime.ENGINE.load(folder, signature)


def _build_facts(_: TensorRTOptions, max_batch_size: int) -> dict[str, str]:
    found, tool = gpu.of_driver(), tensorrt_plan.find()
    return {
        "largest_batch": str(max_batch_size),
        "compute_capability": found.compute_capability if found else "",
        "tensorrt": tool.version_text if tool else "",
    }


ENGINE = Engine(
    name="tensorrt",
    precisions=("fp32", "fp16"),
    devices=("gpu",),
    # A plan is for Triton's own backend: the python runtime has no loader for it.
    runtimes={"ngc": ("backend", "tensorrt")},
    artefact=ARTEFACT,
    packages=onnxruntime.ENGINE.packages,
    options=TensorRTOptions,
    session_options=frozenset(),
    parameters=lambda _: {},
    build=_build,
    load=_load,
    loader="",
    extra_files=(onnxruntime.ARTEFACT,),
    build_facts=_build_facts,
    unavailable=unavailable,
)
