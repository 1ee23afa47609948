"""TensorRT: the frozen graph as ONNX, in half precision or quantised, built into a plan file for one kind of GPU."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from model_repo_builder.engines import gpu, onnxruntime, tensorrt_plan
from model_repo_builder.engines.base import Engine, Job, Options
from model_repo_builder.examples.kinds import as_sent, count_of, requests
from model_repo_builder.signature import Signature

if TYPE_CHECKING:
    from model_repo_builder.engines.base import Predict

ARTEFACT = "model.plan"


class TensorRTOptions(Options):
    """Memory that TensorRT may use while it chooses kernels, and how long it looks for them (0 to 5).

    `profile_max_batch` 0 is the variant's max_batch_size; `calibration_method` sets INT8 ranges from the examples.
    """

    workspace_mb: int = Field(default=4096, ge=1, le=1_048_576)
    optimization_level: int = Field(default=3, ge=0, le=5)
    profile_max_batch: int = Field(default=0, ge=0, le=4096)
    calibration_method: Literal["minmax", "percentile", "entropy"] = "minmax"


def unavailable(compute_capability: str | None) -> str | None:
    """Why no plan can be built here: no tool, one that is too old, no GPU, or another GPU than the plan's."""
    tool = tensorrt_plan.find()
    if tool is None:
        return f"tensorrt (neither trtexec nor the Python package tensorrt is here); allowed: {tensorrt_plan.ALLOWED}"
    if tool.version < tensorrt_plan.OLDEST:
        return f"tensorrt (found TensorRT {tool.version_text}); allowed: {tensorrt_plan.ALLOWED}"
    found = gpu.of_driver()
    return gpu.refusal("tensorrt", found, compute_capability)


def _build(job: Job) -> dict[str, str]:
    assert isinstance(job.options, TensorRTOptions)
    tool = tensorrt_plan.find()
    assert tool is not None
    largest = largest_batch(job.options, job.max_batch_size)
    shapes = tensorrt_plan.profiles(job.signature, largest)
    wanted = tensorrt_plan.Wanted(
        graph=_graph(job, job.options),
        shapes=shapes,
        flags=tensorrt_plan.flags(tool.version, job.precision),
        workspace_mb=job.options.workspace_mb,
        level=job.options.optimization_level,
    )
    job.progress(f"building a plan for batches of 1 to {largest} by TensorRT {tool.version_text}")
    tensorrt_plan.build(tool, wanted, job.folder / ARTEFACT)
    found = gpu.of_driver()
    return {
        "tensorrt": tool.version_text,
        "typing": " ".join(wanted.flags) or "fp32",
        "gpu": f"{found.name}, compute capability {found.compute_capability}" if found else "",
        "profile": f"batches of 1 to {largest}",
        "agreement_of": "the plan" if executes_here() else "the ONNX graph of the plan, in ONNX Runtime",
    }


def _graph(job: Job, options: TensorRTOptions) -> Path:
    """The ONNX graph that the plan is built from, with its precision in it."""
    from model_repo_builder.engines import onnx_fp16, onnx_graph, onnx_int8

    graph = job.folder / onnxruntime.ARTEFACT
    onnx_graph.write(job, graph)
    if job.precision == "fp16":
        onnx_fp16.to_half(graph)
    if job.calibration is not None:
        samples = as_sent(job.calibration, job.signature)
        job.progress(f"calibrating on {count_of(samples)} examples")
        feed = partial(requests, samples, job.signature, onnxruntime.CALIBRATION_BATCH)
        onnx_int8.quantise_for_tensorrt(graph, feed=feed, method=options.calibration_method)
    return graph


def largest_batch(options: TensorRTOptions, max_batch_size: int) -> int:
    """The largest batch that the plan takes."""
    return max(options.profile_max_batch, max_batch_size)


def executes_here() -> bool:
    """Whether plans can be run by this process: by the Python package, which the python runtime has as well."""
    return tensorrt_plan.module() is not None


def _load(folder: Path, signature: Signature) -> Predict:
    """The graph that the plan was built from, for machines that build plans and can't run them (trtexec alone)."""
    return onnxruntime.load(folder, signature, fused=False)


def _build_facts(options: TensorRTOptions, max_batch_size: int) -> dict[str, str]:
    found, tool = gpu.of_driver(), tensorrt_plan.find()
    return {
        "largest_batch": str(largest_batch(options, max_batch_size)),
        "compute_capability": found.compute_capability if found else "",
        "tensorrt": tool.version_text if tool else "",
    }


ENGINE = Engine(
    name="tensorrt",
    precisions=("fp32", "fp16", "int8"),
    devices=("gpu",),
    runtimes={"ngc": ("backend", "tensorrt"), "python": ("backend", "python")},
    artefact=ARTEFACT,
    packages=onnxruntime.ENGINE.packages,
    options=TensorRTOptions,
    session_options=frozenset({"profile_max_batch"}),
    parameters=lambda _: {},
    build=_build,
    load=_load,
    loader="tensorrt",
    executes_here=executes_here,
    extra_files=(onnxruntime.ARTEFACT,),
    build_facts=_build_facts,
    unavailable=unavailable,
)
