"""Executes one variant in a process of its own, by the loader that its model.py has: `python -m … FOLDER`.

A process of its own, because a framework's threads can be set only once in a process, and because TensorFlow keeps
the memory of a GPU until its process ends.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from model_repo_builder.engines import ENGINES
from model_repo_builder.examples.kinds import IMAGES, Examples, as_sent, kind_of, requests
from model_repo_builder.repository import model_py
from model_repo_builder.signature import FLOATS
from model_repo_builder.speed_test.results import Guess, Point, Repeat, best_guesses
from model_repo_builder.speed_test.variants import Built

JOB, SHOWN, OUTCOME = "job.json", "shown.npz", "outcome.json"
# Warm-up until both are reached: lazy initialisation takes runs, clocks and caches take time.
WARM_UP_RUNS = 3
WARM_UP_S = 0.5
# Bytes; frameworks copy what does not begin on such a boundary.
ALIGNMENT = 64
# A repeat holds at least these, however slow they are.
LEAST_RUNS = 2

Execute = Callable[[dict[str, Any]], dict[str, Any]]


class Job(BaseModel):
    """What to measure: batch sizes, and the seconds that each of the repeats takes."""

    model_config = ConfigDict(frozen=True)

    variant: Built
    batches: tuple[int, ...]
    repeats: int
    seconds: float


class Outcome(BaseModel):
    """What was measured; `guesses` is empty where the model takes no images, or gives no vector of classes."""

    model_config = ConfigDict(frozen=True)

    points: tuple[Point, ...]
    guesses: tuple[tuple[Guess, ...], ...]


def run(job: Job, samples: Examples) -> Outcome:
    """Show each of the examples to the variant, then time batches of them."""
    signature = job.variant.manifest.signature
    outputs = [tensor.name for tensor in signature.outputs]
    load = model_py.load(ENGINES[job.variant.manifest.engine].loader)
    execute = load(job.variant.folder, job.variant.parameters, 0 if job.variant.gpu else None, outputs)
    inputs = as_sent(samples, signature)
    first = signature.outputs[0]
    is_classifier = (
        len(first.shape) == 1 and first.dtype in FLOATS and signature.batched and kind_of(signature) is IMAGES
    )
    scores = [execute(dict(one))[first.name][0] for one in requests(inputs, signature, 1)] if is_classifier else []
    return Outcome(
        guesses=tuple(best_guesses(one, job.variant.labels) for one in scores),
        points=tuple(
            _point(execute, _batches(inputs, size) if signature.batched else _alone(inputs), size, job)
            for size in job.batches
        ),
    )


def _alone(inputs: dict[str, Any]) -> dict[str, Any]:
    """One request of a model that takes no batches."""
    return {name: array[0] for name, array in inputs.items()}


def _batches(inputs: dict[str, Any], size: int) -> dict[str, Any]:
    """A batch of each input."""
    return {name: _batch(array, size) for name, array in inputs.items()}


def _batch(array: Any, size: int) -> Any:
    """The examples in turn, `size` of them, where serve.py would put them too: on a boundary that needs no copy."""
    cycled = array[np.arange(size) % len(array)]
    if array.dtype.hasobject:
        return cycled
    memory = np.empty(cycled.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    batch = memory[start : start + cycled.nbytes].view(cycled.dtype).reshape(cycled.shape)
    batch[:] = cycled
    return batch


def _point(execute: Execute, batch: dict[str, Any], size: int, job: Job) -> Point:
    def once() -> float:
        """Milliseconds of one run, from an array to arrays."""
        started = time.perf_counter()
        execute(batch)
        return (time.perf_counter() - started) * 1000

    _repeat(once, WARM_UP_S, WARM_UP_RUNS)
    return Point(batch=size, repeats=tuple(_repeat(once, job.seconds, LEAST_RUNS) for _ in range(job.repeats)))


def _repeat(once: Callable[[], float], seconds: float, least: int) -> Repeat:
    latencies: list[float] = []
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or len(latencies) < least:
        latencies.append(once())
    return Repeat(latencies_ms=tuple(latencies), elapsed_s=elapsed)


def main(folder: Path) -> None:
    """Read the job and its examples from a folder and leave the outcome there."""
    # Texts are pickled; whoever started this process wrote the file.
    job = Job.model_validate_json((folder / JOB).read_text(encoding="utf-8"))
    outcome = run(job, dict(np.load(folder / SHOWN, allow_pickle=True)))
    (folder / OUTCOME).write_text(outcome.model_dump_json(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
