"""OpenVINO: the frozen graph by way of ONNX, in FP32, executed in BF16, or quantised to INT8 by NNCF."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from command_line.extras import install_line
from model_repo_builder.engines import cpu, onnxruntime, openvino_native
from model_repo_builder.engines.base import Engine, Job, Options, Served
from model_repo_builder.errors import UnsupportedError
from model_repo_builder.examples.kinds import Examples, as_sent, count_of
from model_repo_builder.signature import STRING, Signature

if TYPE_CHECKING:
    from model_repo_builder.engines.base import Outputs, Predict

ARTEFACT, WEIGHTS = "model.xml", "model.bin"
# Where the graph itself says in which precision it is to be executed: all others are FP32 outside what is quantised.
PRECISION = ["model_repo_builder", "precision"]


class OpenVINOOptions(Options):
    """How the graph is quantised, and the threads of one instance (0: every core)."""

    weight_range: Literal["auto", "7bit", "8bit"] = "auto"
    intra_op_threads: int = Field(default=1, ge=0, le=1024)


def unavailable(_: str | None) -> str | None:
    """Which of its packages is missing here."""
    missing = [name for name in ("openvino", "nncf") if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    return f"openvino ({', '.join(missing)} not installed); allowed: {install_line('builder')}"


def warnings(precision: str, _: Any) -> tuple[str, ...]:
    """BF16 where the CPU has none: OpenVINO then executes the graph in FP32."""
    if precision != "bf16" or cpu.has_bf16(cpu.here()):
        return ()
    return (
        "this CPU has no BF16 (AVX-512 BF16 or AMX): the graph runs in FP32 here, so neither its speed nor its "
        "agreement is that of BF16",
    )


def _parameters(served: Served) -> dict[str, str]:
    """The names of Triton's own backend (README of triton-inference-server/openvino_backend), whose instances share
    one compiled model: threads and streams are those of all instances together."""
    options = served.options
    assert isinstance(options, OpenVINOOptions)
    parameters = {"NUM_STREAMS": str(served.instances)}
    if options.intra_op_threads:
        parameters["INFERENCE_NUM_THREADS"] = str(served.instances * options.intra_op_threads)
    if served.precision == "bf16":
        parameters["HINT_BF16"] = "YES"
    return parameters


def _build(job: Job) -> dict[str, str]:
    import openvino as ov

    from model_repo_builder.engines import openvino_int8

    assert isinstance(job.options, OpenVINOOptions)
    _refuse_types(job.signature)
    model = _converted(job)
    notes = {}
    if job.calibration is not None:
        range_of_weights = cpu.weight_range(job.options.weight_range)
        samples = as_sent(job.calibration, job.signature)
        job.progress(f"calibrating on {count_of(samples)} examples, weights {range_of_weights}")
        model = openvino_int8.quantise(model, samples, job.signature, reduce_range=range_of_weights == "7bit")
        notes["weight_range"] = range_of_weights
    model.set_rt_info(job.precision, PRECISION)
    ov.save_model(model, job.folder / ARTEFACT, compress_to_fp16=False)
    return notes


def _converted(job: Job) -> Any:
    """OpenVINO's model, by way of ONNX, or of TensorFlow where that way is closed: loops, and tables.

    ONNX comes first, because it gives equal answers for more kinds (NMS, bfloat16), and because its names are the
    signature's. UnsupportedError has the reason of the first way.
    """
    import openvino as ov

    from model_repo_builder.engines import onnx_graph

    core, graph = ov.Core(), job.folder / onnxruntime.ARTEFACT
    try:
        onnx_graph.write(job, graph)
        return core.read_model(graph)
    except Exception as error:
        closed = error if isinstance(error, UnsupportedError) else f"OpenVINO can't convert it: {_reason(error)}"
    finally:
        graph.unlink(missing_ok=True)
    try:
        model = core.read_model(job.savedmodel)
    except Exception:
        raise UnsupportedError(str(closed)) from None
    for side, tensors in ((model.inputs, job.signature.inputs), (model.outputs, job.signature.outputs)):
        if len(side) != len(tensors) or not all(_named(side, tensor.name) for tensor in tensors):
            raise UnsupportedError(str(closed))
    return model


def _named(side: Any, name: str) -> bool:
    """Whether one of the inputs or outputs has the name, and no other from then on."""
    found = [one for one in side if name in one.get_names()]
    for one in found:
        one.get_tensor().set_names({name})
    return len(found) == 1


def _refuse_types(signature: Signature) -> None:
    """UnsupportedError for what OpenVINO's CPU plugin takes and then computes as something else, or not at all."""
    for tensor in (*signature.inputs, *signature.outputs):
        if tensor.dtype in ("float64", STRING):
            what = "has no texts" if tensor.dtype == STRING else "computes float64 in float32"
            allowed = "engine tensorflow or onnxruntime"
            raise UnsupportedError(f"OpenVINO {what}, and {tensor.name} is {tensor.dtype}; allowed: {allowed}")


def _load(folder: Path, signature: Signature) -> Predict:
    import openvino as ov

    core = ov.Core()
    model = core.read_model(folder / ARTEFACT)
    precision = "bf16" if model.get_rt_info(PRECISION).astype(str) == "bf16" else "f32"
    try:
        request = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision}).create_infer_request()
    except Exception as error:
        raise UnsupportedError(f"OpenVINO can't load it: {_reason(error)}") from None
    names = [output.name for output in signature.outputs]

    def predict(samples: Examples) -> Outputs:
        results = request.infer(as_sent(samples, signature))
        return {name: results[name] for name in names}

    return predict


def _reason(error: Exception) -> str:
    """What went wrong of OpenVINO's many lines: those that name no file of its own source."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return " ".join(told or lines)[:300]


ENGINE = Engine(
    name="openvino",
    precisions=("fp32", "bf16", "int8"),
    devices=("cpu",),
    runtimes={"ngc": ("backend", "openvino"), "python": ("backend", "python")},
    artefact=ARTEFACT,
    packages=("tensorflow", "tensorflow-cpu", "tf2onnx", "onnx", "openvino", "nncf"),
    options=OpenVINOOptions,
    session_options=frozenset({"intra_op_threads"}),
    parameters=_parameters,
    build=_build,
    load=_load,
    loader="openvino",
    extra_files=(WEIGHTS,),
    build_facts=lambda options, _: {"weight_range": cpu.weight_range(options.weight_range)},
    unavailable=unavailable,
    # Triton's backend compiles the graph for max_batch_size alone (openvino.cc, `set_batch`): it refuses smaller ones,
    # or pads them, and then keeps the padding of one for the next (`batch_pad_size_`).
    largest_batch={"ngc": 1},
    known_sizes=lambda folder, signature: openvino_native.known_sizes(folder / ARTEFACT, signature),
    warnings=warnings,
)
