"""ONNX Runtime: the frozen graph converted by tf2onnx, in FP32 or quantised to INT8."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from model_repo_builder.engines import cpu
from model_repo_builder.engines.base import Engine, Job, Options, Served
from model_repo_builder.errors import UnsupportedError
from model_repo_builder.examples.kinds import Examples, as_sent, count_of, requests
from model_repo_builder.signature import Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_repo_builder.engines.base import Outputs, Predict

# ONNX Runtime's telemetry (seen with 1.31) begins when it is imported, unless it is told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

ARTEFACT = "model.onnx"
# One example at a time keeps the memory of a calibration pass, which holds its activations, small.
CALIBRATION_BATCH = 1
# ONNX Runtime's number for messages of its death alone.
SILENT = 4


class ONNXRuntimeOptions(Options):
    """How the graph is quantised, and the threads of one server process (0: every core).

    `quantisation`: `static` takes the ranges of activations from examples, `dynamic` finds them for each request;
    `auto` is `static` for images and where the plan has real examples, else `dynamic`.
    """

    quantisation: Literal["auto", "static", "dynamic"] = "auto"
    weight_range: Literal["auto", "7bit", "8bit"] = "auto"
    calibration_method: Literal["minmax", "percentile", "entropy"] = "minmax"
    intra_op_threads: int = Field(default=0, ge=0, le=1024)
    allow_spinning: bool = True


def _parameters(served: Served) -> dict[str, str]:
    options = served.options
    assert isinstance(options, ONNXRuntimeOptions)
    parameters = {}
    if options.intra_op_threads:
        parameters["intra_op_thread_count"] = str(options.intra_op_threads)
    if not options.allow_spinning:
        parameters["session.intra_op.allow_spinning"] = "0"
    return parameters


def _build(job: Job) -> dict[str, str]:
    from model_repo_builder.engines import onnx_graph, onnx_int8

    assert isinstance(job.options, ONNXRuntimeOptions)
    target = job.folder / ARTEFACT
    onnx_graph.write(job, target)
    if job.precision != "int8":
        return {}
    weight_range = cpu.weight_range(job.options.weight_range)
    reduce_range = weight_range == "7bit"
    if job.calibration is None:
        job.progress(f"quantising dynamically, weights {weight_range}")
        onnx_int8.quantise_dynamically(target, reduce_range=reduce_range)
    else:
        samples = as_sent(job.calibration, job.signature)
        job.progress(f"calibrating on {count_of(samples)} examples, weights {weight_range}")
        onnx_int8.quantise(
            target,
            feed=partial(requests, samples, job.signature, CALIBRATION_BATCH),
            method=job.options.calibration_method,
            reduce_range=reduce_range,
        )
    return {"weight_range": weight_range, "quantisation": job.options.quantisation}


def load(folder: Path, signature: Signature, *, fused: bool = True) -> Predict:
    """A function from examples to the outputs of the graph in a version folder; UnsupportedError where it can't run.

    Without `fused` each Q/DQ pair rounds by itself, as it says, where this CPU's own INT8 sums may saturate.
    """
    return load_file(folder / ARTEFACT, signature, fused=fused)


def load_file(path: Path, signature: Signature, *, fused: bool = True) -> Predict:
    """The same of an ONNX file of any name."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    # What goes wrong is raised, too.
    options.log_severity_level = SILENT
    if not fused:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UnsupportedError(f"ONNX Runtime can't load it: {' '.join(str(error).split())[:300]}") from None
    names = [output.name for output in signature.outputs]

    def predict(samples: Examples) -> Outputs:
        # ONNX Runtime's texts are str, those of a server and of TensorFlow bytes.
        try:
            sent = {name: _each(array, bytes.decode) for name, array in as_sent(samples, signature).items()}
        except UnicodeDecodeError as error:
            found = f"an example has a text of {len(error.object)} bytes that is no UTF-8"
            raise UnsupportedError(f"ONNX Runtime takes UTF-8, and {found}; allowed: engine tensorflow") from None
        results = session.run(names, sent)
        return {name: _each(array, str.encode) for name, array in zip(names, results, strict=True)}

    return predict


def _each(array: NDArray[Any], change: Callable[[Any], Any]) -> NDArray[Any]:
    """Every text changed; numbers as they are."""
    if not array.dtype.hasobject:
        return array
    return np.array([change(item) for item in array.ravel()], object).reshape(array.shape)


ENGINE = Engine(
    name="onnxruntime",
    precisions=("fp32", "int8"),
    devices=("cpu", "gpu"),
    runtimes={"ngc": ("backend", "onnxruntime"), "python": ("backend", "python")},
    artefact=ARTEFACT,
    packages=("tensorflow", "tensorflow-cpu", "tf2onnx", "onnx", "onnxruntime"),
    options=ONNXRuntimeOptions,
    session_options=frozenset({"intra_op_threads", "allow_spinning"}),
    parameters=_parameters,
    build=_build,
    load=load,
    loader="onnxruntime",
    needs_calibration=lambda precision, options: precision == "int8" and options.quantisation != "dynamic",
    build_facts=lambda options, _: {"weight_range": cpu.weight_range(options.weight_range)},
)
