"""What of a valid plan the backends of NVIDIA's image will not do as it says: warnings, as Triton passes over it."""

from __future__ import annotations

from model_repo_builder.engines.onnxruntime import ONNXRuntimeOptions
from model_repo_builder.engines.tensorflow import TensorFlowOptions
from model_repo_builder.engines.tftrt import TFTRTOptions
from model_repo_builder.plan.schema import Plan, Variant


def warnings(plan: Plan) -> list[str]:
    """One line each, `FIELD: value; what happens; allowed: ...`, for the chosen variants; none for another runtime.

    Source: onnxruntime.cc and tensorflow.cc of Triton's backends, r24.10 to r26.06.
    """
    if plan.runtime != "ngc":
        return []
    return [*filter(None, map(_polling, plan.chosen)), *_threads_of_the_process(plan)]


def _polling(variant: Variant) -> str | None:
    options = variant.engine_options
    if not isinstance(options, ONNXRuntimeOptions) or options.allow_spinning or options.intra_op_threads == 1:
        return None
    threads = options.intra_op_threads or "every core's"
    return (
        f"variants.{variant.name}.options.allow_spinning: false, which the native ONNX Runtime backend does not read: "
        f"{threads} threads poll for work; allowed: intra_op_threads 1 and more instances, or runtime python"
    )


def _threads_of_the_process(plan: Plan) -> list[str]:
    """TensorFlow makes its threads once in a process, with the options of the first model."""
    wanted = {}
    for variant in plan.chosen:
        options = variant.engine_options
        if isinstance(options, TensorFlowOptions):
            wanted[variant.name] = (options.intra_op_threads, options.inter_op_threads)
        elif isinstance(options, TFTRTOptions):
            wanted[variant.name] = (0, 0)
    if len(set(wanted.values())) < 2:
        return []
    name, (intra, inter) = next((name, threads) for name, threads in wanted.items() if any(threads))
    field, value = ("intra_op_threads", intra) if intra else ("inter_op_threads", inter)
    others = ", ".join(other for other in wanted if wanted[other] != wanted[name])
    return [
        f"variants.{name}.options.{field}: {value}, and {others} other: TensorFlow's threads belong to the server's "
        "process, and the model that is loaded first decides; allowed: the same for all, or one model a server"
    ]
