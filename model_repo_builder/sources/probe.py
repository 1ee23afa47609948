"""What only running a SavedModel shows: whether rows of a batch are independent, whether it answers the same twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo_builder.errors import InvalidError, first_line
from model_repo_builder.examples.kinds import Examples, as_sent, cycled
from model_repo_builder.signature import OPEN, Signature
from model_repo_builder.sources.savedmodel import NOT_RANDOM, UNKNOWN_SHAPE

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A batch of so many is compared with one example at a time.
ROWS = 3
# So often the same request is asked again: an answer that is drawn differs.
_REPEATS = 3
# The same request in the same batch is computed the same way: what is drawn may still change an answer by little.
_SAME_TWICE = 1e-5
# Of the largest number of an output: what another batch size may change by rounding. Another row is much further away.
TOLERANCE = 0.01
# Examples times these are unlike any example. In place of integers stand these themselves, if they are not too large:
# they may be sizes.
_UNLIKE = (0, -1, 100, 10_000)
_LARGEST_INTEGER = 100
_DEPENDENT = "output {} of an example changes with the other examples of its batch"

Run = Callable[[dict[str, Any]], dict[str, "NDArray[Any]"]]


def settle(
    run: Run, signature: Signature, samples: Callable[[Signature, int], Examples], *, batching: bool | None
) -> tuple[Signature, str]:
    """The signature as the model keeps it, and why it has no batch where it looked as if it had one (else empty).

    `batching` is the plan's: True makes it an error that rows are not independent. InvalidError for a model that fails
    on the examples, or whose answer is random.
    """
    reason = ""
    if signature.batched:
        try:
            examples = as_sent(cycled(samples(signature, ROWS), ROWS), signature)
            reason = _dependence(run, examples, signature)
        except InvalidError as error:
            if batching or len(signature.inputs) == 1:
                raise
            reason = str(error)
        except Exception as error:
            reason = f"it fails on examples of a batch: {first_line(error)}"
        if reason and batching:
            raise InvalidError("model.batching", "true", f"false, as {reason}")
        if reason:
            signature = signature.unbatched()
    if not signature.batched:
        signature = _of_rows_that_it_takes(run, signature, samples)
    request = _first(as_sent(samples(signature, 1), signature), signature)
    answer = _answer(run, request)
    for _ in range(_REPEATS):
        _require_same_twice(answer, _answer(run, request))
    signature = _with_shapes(signature, answer)
    return replace(signature, warm_up=_answers_zeros(run, request)), reason


def _of_rows_that_it_takes(run: Run, signature: Signature, samples: Callable[[Signature, int], Examples]) -> Signature:
    """The signature with examples of several rows, or of one where it fails on several: its graph may say one.

    Then TensorFlow may also answer in another shape than the signature's, as it drops a Reshape that seems to do
    nothing.
    """
    try:
        answer = run(_first(as_sent(samples(signature, 1), signature), signature))
    except InvalidError:
        return signature
    except Exception:
        return signature.of_one_row()
    declared = [tensor for tensor in signature.outputs if tensor.shape != UNKNOWN_SHAPE]
    return signature if all(_has_shape(answer[one.name], one.shape) for one in declared) else signature.of_one_row()


def _has_shape(array: NDArray[Any], shape: tuple[int, ...]) -> bool:
    sizes = zip(array.shape, shape, strict=False)
    return array.ndim == len(shape) and all(declared in (OPEN, size) for size, declared in sizes)


def _dependence(run: Run, examples: dict[str, NDArray[Any]], signature: Signature) -> str:
    """Why a row of a batch of three is not what the example gives alone; empty where all are."""
    together = run(examples)
    alone = [run({name: array[row : row + 1] for name, array in examples.items()}) for row in range(ROWS)]
    for tensor in signature.outputs:
        whole = together[tensor.name]
        if whole.ndim < 1 or len(whole) != ROWS or any(len(one[tensor.name]) != 1 for one in alone):
            return f"output {tensor.name} has the shape {list(whole.shape)} for {ROWS} examples"
        for row in range(ROWS):
            if not same_numbers(whole[row], alone[row][tensor.name][0]):
                return _DEPENDENT.format(tensor.name)
    return _dependence_on_unlike(run, examples, {row: alone[row] for row in (0, ROWS - 1)})


def _dependence_on_unlike(
    run: Run, examples: dict[str, NDArray[Any]], alone: dict[int, dict[str, NDArray[Any]]]
) -> str:
    """The same of examples among rows that are nothing like them; `alone` are their answers, by their rows.

    Examples that are alike may agree by chance: a branch on the mean of a batch is taken by all of them. The first row
    depends on no row before it, the last on none behind it.
    """
    for change in _UNLIKE:
        for row, answers in alone.items():
            changed = {name: _changed(array, change, row) for name, array in examples.items()}
            try:
                beside = run(changed)
            except Exception:  # it may not take such rows at all, and then no client sends them
                continue
            for name, answer in answers.items():
                if not same_numbers(beside[name][row], answer[0]):
                    return _DEPENDENT.format(name)
    return ""


def _changed(array: NDArray[Any], change: int, kept: int) -> NDArray[Any]:
    """All rows but one times a number, integers replaced by it, texts repeated so often (at most three times)."""
    others = np.arange(len(array)) != kept
    changed = array.copy()
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            changed[others] = array[others] * change
    elif array.dtype.hasobject:
        texts = [text * min(abs(change) + (change < 0), 3) for text in array[others].ravel()]
        changed[others] = np.array(texts, object).reshape(changed[others].shape)
    else:
        limits = (0, 1) if array.dtype.kind == "b" else (np.iinfo(array.dtype).min, np.iinfo(array.dtype).max)
        changed[others] = np.clip(min(change, _LARGEST_INTEGER), *limits)
    return changed


def same_numbers(one: NDArray[Any], other: NDArray[Any], tolerance: float = TOLERANCE) -> bool:
    """Whether two rows are the same but for rounding; texts, integers and booleans exactly."""
    one, other = (np.asarray(row, object if isinstance(row, bytes) else None) for row in (one, other))
    if one.shape != other.shape:
        return False
    if one.dtype.kind not in "fc":
        return bool(np.array_equal(one, other))
    left, right = one.astype(np.float64), other.astype(np.float64)
    largest = float(np.abs(left[np.isfinite(left)]).max(initial=0.0))
    return bool(np.allclose(left, right, rtol=tolerance, atol=tolerance * largest + 1e-12, equal_nan=True))


def _answer(run: Run, request: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    try:
        return run(request)
    except Exception as error:
        given = ", ".join(f"{name} {list(array.shape)}" for name, array in request.items())
        allowed = (
            "examples that it answers: agreement.arrays: FILE.npz, or model.inputs.NAME with shape, range or values"
        )
        raise InvalidError("model.source", f"it fails on {given}: {first_line(error)}", allowed) from None


def _require_same_twice(once: dict[str, NDArray[Any]], again: dict[str, NDArray[Any]]) -> None:
    for name, array in once.items():
        if not same_numbers(array, again[name], _SAME_TWICE):
            found = f"its answer to the same input is random: output {name} differs between two runs"
            raise InvalidError("model.source", found, NOT_RANDOM)


def _with_shapes(signature: Signature, answer: dict[str, NDArray[Any]]) -> Signature:
    """The signature with the ranks of outputs that the SavedModel leaves open; their sizes stay open."""

    def known(tensor: Any) -> Any:
        if UNKNOWN_SHAPE[0] not in tensor.shape:
            return tensor
        rank = answer[tensor.name].ndim - (1 if signature.batched else 0)
        return replace(tensor, shape=(OPEN,) * rank)

    return replace(signature, outputs=tuple(map(known, signature.outputs)))


def _answers_zeros(run: Run, request: dict[str, NDArray[Any]]) -> bool:
    """Whether a server may warm the model up; texts would need examples of their own."""
    if any(array.dtype.hasobject for array in request.values()):
        return False
    try:
        run({name: np.zeros_like(array) for name, array in request.items()})
    except Exception:
        return False
    return True


def _first(examples: dict[str, NDArray[Any]], signature: Signature) -> dict[str, NDArray[Any]]:
    return {name: array[:1] if signature.batched else array[0] for name, array in examples.items()}
