"""TF-TRT: TensorRT engines inside a SavedModel, built ahead for every batch size, so that no request waits for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from model_repo_builder.engines import gpu, tensorflow, tftrt_graph, tftrt_saved
from model_repo_builder.engines.base import Engine, Job, Options
from model_repo_builder.errors import BuildError, UnsupportedError
from model_repo_builder.examples.kinds import Examples, as_sent, count_of, requests
from model_repo_builder.signature import OPEN, STRING, Signature

# TensorRT measures kernels at these sizes of a range; all batches between run on the same engine.
STRATEGIES = {"range": "Range", "optimal": "Optimal", "range+optimal": "Range+Optimal"}


class TFTRTOptions(Options):
    """How TensorRT builds its engines; `profile_max_batch` 0 is the variant's max_batch_size.

    `profile`: `range` makes one profile for batches of 1 to the largest, `optimal` one each for 1 and the largest.
    """

    workspace_mb: int = Field(default=4096, ge=1, le=1_048_576)
    minimum_segment_size: int = Field(default=3, ge=1, le=10_000)
    profile: Literal["range", "optimal", "range+optimal"] = "range"
    profile_max_batch: int = Field(default=0, ge=0, le=4096)
    calibration_batch: int = Field(default=16, ge=1, le=1024)


def unavailable(compute_capability: str | None) -> str | None:
    """Why TF-TRT can't build here: no TensorRT, a TensorRT of another version, no GPU, or another GPU."""
    missing = tensorrt_missing()
    if missing:
        return missing
    return gpu.refusal("tftrt", gpu.find(), compute_capability)


def tensorrt_missing() -> str | None:
    """Why TensorFlow can't use TensorRT here, None when it can; judged by TF-TRT's own check."""
    from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils as versions
    from tensorflow.python.compiler.tensorrt import trt_convert
    from tensorflow.python.platform import tf_logging

    if not versions.is_tensorrt_enabled():
        import tensorflow as tf

        return (
            f"tftrt (this TensorFlow {tf.__version__} was built without TensorRT); "
            "allowed: tensorflow 2.17 for GPUs, or NVIDIA's image tensorflow:25.02-tf2-py3"
        )
    linked = ".".join(map(str, versions.get_linked_tensorrt_version()))
    # What it would log in several lines is said in one.
    tf_logging.get_logger().setLevel("CRITICAL")
    try:
        loaded = _loaded_version()
        trt_convert._check_trt_version_compatibility()
    except RuntimeError as error:
        return f"tftrt (TensorFlow wants TensorRT {linked}, found {loaded}: {error}); allowed: TensorRT {linked}"
    return None


def _build(job: Job) -> dict[str, str]:
    from tensorflow.python.compiler.tensorrt import trt_convert

    assert isinstance(job.options, TFTRTOptions)
    _refuse_texts(job.signature)
    largest = largest_batch(job.options, job.max_batch_size)
    converter = trt_convert.TrtGraphConverterV2(
        input_saved_model_dir=str(job.savedmodel),
        precision_mode=job.precision.upper(),
        max_workspace_size_bytes=job.options.workspace_mb * 2**20,
        minimum_segment_size=job.options.minimum_segment_size,
        use_dynamic_shape=True,
        dynamic_shape_profile_strategy=STRATEGIES[job.options.profile],
        use_calibration=job.calibration is not None,
        # The other choice makes TF-TRT forget the names of the outputs when it saves: see tftrt_saved.forbid_building.
        allow_build_at_runtime=True,
    )
    job.progress(f"converting to {job.precision.upper()}")
    batches = None if job.calibration is None else _calibration(job, min(job.options.calibration_batch, largest))
    converted = converter.convert(batches)
    split = tftrt_graph.split(converted.graph.as_graph_def())
    if not split.engines:
        raise BuildError(f"no part of the graph became a TensorRT engine; outside: {split.outside_text()}")
    job.progress(
        f"building {split.engines} TensorRT engine(s) for batches of 1 to {largest}; outside: {split.outside_text()}"
    )
    converter.build(lambda: _profile(job, largest))
    artefact = job.folder / ARTEFACT
    converter.save(str(artefact))
    stored = tftrt_saved.engines(artefact)
    if stored < split.engines:
        raise BuildError(f"TensorRT built {stored} of {split.engines} engines; its log above says why")
    tftrt_saved.forbid_building(artefact)
    found = gpu.find()
    return {
        **split.notes(),
        "profile": f"{job.options.profile}, batches of 1 to {largest}",
        "gpu": f"{found.name}, compute capability {found.compute_capability}" if found else "",
        "tensorrt": _loaded_version(),
    }


def largest_batch(options: TFTRTOptions, max_batch_size: int) -> int:
    """The largest batch that the engines take."""
    return max(options.profile_max_batch, max_batch_size)


def _profile(job: Job, largest: int) -> Iterator[dict[str, Any]]:
    """The shapes that engines are built for: batches of 1 and the largest, open sizes from the least to the example's.

    The sizes of an example are those that the plan gives (`inputs.NAME.shape`): what is longer runs in TensorFlow.
    """
    signature = job.signature
    for batch in sorted({1, largest}) if signature.batched else [0]:
        for shapes in _sizes(job):
            yield _zeros(shapes, signature, batch)


def _sizes(job: Job) -> list[dict[str, tuple[int, ...]]]:
    """The shapes of an example with open sizes of 1, where the model takes such, and as the plan gives them."""
    usual = {tensor.name: tensor.example_shape for tensor in job.signature.inputs}
    if not job.signature.is_open:
        return [usual]
    least = {
        tensor.name: tuple(1 if size == OPEN else size for size in tensor.shape) for tensor in job.signature.inputs
    }
    model = tensorflow.load_savedmodel(job.savedmodel, job.signature)
    try:
        model(_zeros(least, job.signature, 1))
    # Whatever TensorFlow makes of a convolution over nothing.
    except Exception:
        return [usual]
    return [least, usual]


def _zeros(shapes: Mapping[str, tuple[int, ...]], signature: Signature, batch: int) -> dict[str, Any]:
    leading = (batch,) if signature.batched else ()
    return {one.name: np.zeros((*leading, *shapes[one.name]), one.dtype) for one in signature.inputs}


def _refuse_texts(signature: Signature) -> None:
    texts = [tensor.name for tensor in signature.inputs if tensor.dtype == STRING]
    if texts:
        raise UnsupportedError(f"TensorRT has no texts, and {texts[0]} is string; allowed: engine tensorflow")


def _calibration(job: Job, batch: int) -> Any:
    """TF-TRT's calibration function: whole batches of one size, as it demands, or one request after the other."""
    assert job.calibration is not None
    samples = as_sent(job.calibration, job.signature)
    size = min(batch, count_of(samples))

    def whole_batches() -> Iterator[Examples]:
        for part in requests(samples, job.signature, size):
            if not job.signature.batched or count_of(part) == size:
                yield part

    return whole_batches


def _loaded_version() -> str:
    from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils as versions

    return ".".join(map(str, versions.get_loaded_tensorrt_version()))


def _build_facts(options: TFTRTOptions, max_batch_size: int) -> dict[str, str]:
    found = gpu.find()
    return {
        "largest_batch": str(largest_batch(options, max_batch_size)),
        "compute_capability": found.compute_capability if found else "",
        "tensorrt": _loaded_version(),
    }


ARTEFACT = tensorflow.ARTEFACT
ENGINE = Engine(
    name="tftrt",
    precisions=("fp32", "fp16", "int8"),
    devices=("gpu",),
    runtimes=tensorflow.ENGINE.runtimes,
    artefact=ARTEFACT,
    packages=("tensorflow",),
    options=TFTRTOptions,
    session_options=frozenset({"profile_max_batch"}),
    parameters=lambda _: {},
    build=_build,
    load=tensorflow.ENGINE.load,
    loader=tensorflow.ENGINE.loader,
    build_facts=_build_facts,
    unavailable=unavailable,
)
