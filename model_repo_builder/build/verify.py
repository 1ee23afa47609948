"""The last look at a built artefact: requests alone and joined, as a server joins them, must give the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo_builder.agreement import Answers, Result, compare, more_than_rounding, run
from model_repo_builder.examples.kinds import Examples, alike, as_sent, batches, cycled, kind_of
from model_repo_builder.repository import model_py
from model_repo_builder.repository.runtime_python.batching import Batcher
from model_repo_builder.signature import FLOATS, OPEN, Signature, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_repo_builder.engines.base import Job, Outputs, Predict
    from model_repo_builder.plan.schema import Plan, Variant

# Requests of one example each that are joined into a batch.
REQUESTS = 3
# Of the largest number of an output: what another batch size may change by rounding.
TOLERANCE = 0.01
# What rounding to INT8 changes by itself, in agreement's largest difference: a range that is found for each batch
# moves as far again.
ROUNDINGS = 2
# Requests of this size where a dimension is open: longer than the examples, and no multiple of them.
STRETCH = (3, 1)


def as_served(variant: Variant, job: Job) -> Predict:
    """The artefact executed as its model.py does, on the first GPU where it is for one, in batches that it takes."""
    load = model_py.load(variant.resolved_engine.loader)
    names = [tensor.name for tensor in job.signature.outputs]
    execute = load(job.folder, {}, 0 if variant.device == "gpu" else None, names)

    def predict(samples: Examples) -> Outputs:
        sent = as_sent(samples, job.signature)
        if not job.signature.batched:
            return execute(dict(sent))
        parts = [execute(dict(part)) for part in batches(sent, job.max_batch_size)]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    return predict


def converted(base: Path, samples: Examples, signature: Signature) -> Answers | None:
    """What the ONNX graph in FP32 answers that variants are made of; None where there is none, or none that runs."""
    from model_repo_builder.engines import onnx_graph, onnxruntime

    graph = onnx_graph.shared_by(base)
    if not graph.is_file():
        return None
    try:
        return run(onnxruntime.load_file(graph, signature), samples, signature)
    except Exception:  # other engines may run it
        return None


def conversion(plan: Plan, reference: Answers, answers: Answers | None, signature: Signature) -> str | None:
    """What is another answer than the source's before anything is rounded to fewer bits, which would hide it."""
    if answers is None:
        return None
    kind = kind_of(signature).sample_kind
    return more_than_rounding(compare(reference, answers, signature, plan.agreement.outputs, kind))


def rows_apart(variant: Variant) -> str:
    """What keeps the rows of a batch apart."""
    if variant.precision == "int8" and getattr(variant.engine_options, "quantisation", "") == "dynamic":
        return "fp32, or examples for options.quantisation: static, as dynamic INT8 finds one range for a whole batch"
    return "rows that don't depend on one another, else model.batching: false"


def rows(predict: Predict, samples: Examples, signature: Signature, result: Result) -> str:
    """Which output of one of three requests is another in a batch, or in one of its own, than alone; empty if none."""
    if not signature.batched:
        return ""
    sent = as_sent(cycled(samples, REQUESTS), signature)
    batcher = Batcher(lambda arrays: dict(predict(arrays)), [one.name for one in signature.inputs], batched=True)
    requests = [{name: array[row : row + 1] for name, array in sent.items()} for row in range(REQUESTS)]
    alone = [batcher.answer([request])[0] for request in requests]
    joined = batcher.answer(requests)
    together = batcher.answer([sent])[0]
    for tensor in signature.outputs:
        limit = _limit(tensor, alone, result)
        for row in range(REQUESTS):
            for found in (joined[row][tensor.name][0], together[tensor.name][row]):
                if not _same(alone[row][tensor.name][0], found, limit):
                    return f"output {tensor.name} ({tensor.dtype}) of an example is another in a batch of {REQUESTS}"
    return ""


def other_sizes(reference: Predict, candidate: Predict, samples: Examples, signature: Signature) -> str:
    """What goes wrong with requests of other sizes where dimensions are open; empty where nothing does.

    A conversion may keep the sizes of its examples as constants. Sizes that the source itself refuses are no matter.
    """
    if not signature.is_open:
        return ""
    samples = alike(samples)
    request = {one.name: _stretched(samples[one.name], one, signature) for one in signature.inputs}
    try:
        expected = reference(request)
    except Exception:
        return ""
    shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in request.items())
    try:
        found = candidate(request)
    except Exception as error:
        return f"it fails on {shapes}: {' '.join(str(error).split())[:200]}"
    for tensor in signature.outputs:
        limit = _limit(tensor, [expected], None)
        if not _same(expected[tensor.name], found[tensor.name], limit):
            return f"output {tensor.name} differs on {shapes}"
    return ""


def _stretched(array: NDArray[Any], tensor: Tensor, signature: Signature) -> NDArray[Any]:
    """One example whose open dimensions are of another size, made of the same numbers."""
    one = array[:1]
    factor, more = STRETCH
    leading = 1
    for axis, size in enumerate(tensor.shape):
        if size == OPEN:
            wanted = one.shape[axis + leading] * factor + more
            one = np.take(one, np.arange(wanted) % one.shape[axis + leading], axis=axis + leading)
    return one if signature.batched else one[0]


def _limit(tensor: Tensor, answers: Sequence[Mapping[str, NDArray[Any]]], result: Result | None) -> float | None:
    """By how much numbers may differ; None where they must be the same."""
    if tensor.dtype not in FLOATS:
        return None
    numbers = np.concatenate([np.ravel(answer[tensor.name]).astype(np.float64) for answer in answers])
    largest = float(np.abs(numbers[np.isfinite(numbers)]).max(initial=0.0))
    rounding = result.outputs[tensor.name].max_abs_diff if result is not None else 0.0
    return TOLERANCE * largest + ROUNDINGS * rounding + 1e-9


def _same(one: NDArray[Any], other: NDArray[Any], limit: float | None) -> bool:
    one, other = (np.asarray(row, object if isinstance(row, bytes) else None) for row in (one, other))
    if one.shape != other.shape:
        return False
    if limit is None:
        return bool(np.array_equal(one, other))
    left, right = one.astype(np.float64), other.astype(np.float64)
    return bool(np.allclose(left, right, rtol=0, atol=limit, equal_nan=True))
