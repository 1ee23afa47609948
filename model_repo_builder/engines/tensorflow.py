"""Plain TensorFlow: the frozen graph as it is; the baseline of every ladder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from model_repo_builder.engines.base import Engine, Job, Options, Served
from model_repo_builder.examples.kinds import Examples, as_sent
from model_repo_builder.signature import Signature

if TYPE_CHECKING:
    from model_repo_builder.engines.base import Outputs, Predict

ARTEFACT = "model.savedmodel"
# All instances of a model on a device use one session: without it each has the weights once more. The number is the
# largest of a plan, as a tuned model may get other instances.
SESSION_SHARE = {"MAX_SESSION_SHARE_COUNT": "256"}


class TensorFlowOptions(Options):
    """Threads of a process, which is an instance in the python runtime and the whole server in the native one.

    0 lets TensorFlow use every core.
    """

    intra_op_threads: int = Field(default=0, ge=0, le=1024)
    inter_op_threads: int = Field(default=0, ge=0, le=1024)


def _parameters(served: Served) -> dict[str, str]:
    options = served.options
    assert isinstance(options, TensorFlowOptions)
    threads = {
        "TF_NUM_INTRA_THREADS": options.intra_op_threads,
        "TF_NUM_INTER_THREADS": options.inter_op_threads,
    }
    return {name: str(count) for name, count in threads.items() if count}


def _build(job: Job) -> dict[str, str]:
    shutil.copytree(job.savedmodel, job.folder / ARTEFACT)
    return {}


def load_savedmodel(path: Path, signature: Signature) -> Predict:
    """A function from examples to the outputs of a SavedModel's `serving_default`."""
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    function = model.signatures["serving_default"]

    def predict(samples: Examples) -> Outputs:
        result = function(**{name: tf.constant(array) for name, array in as_sent(samples, signature).items()})
        return {tensor.name: result[tensor.name].numpy() for tensor in signature.outputs}

    # A signature does not keep its model alive.
    predict.model = model  # type: ignore[attr-defined]
    return predict


def _load(folder: Path, signature: Signature) -> Predict:
    return load_savedmodel(folder / ARTEFACT, signature)


ENGINE = Engine(
    name="tensorflow",
    precisions=("fp32",),
    devices=("cpu", "gpu"),
    runtimes={"ngc": ("platform", "tensorflow_savedmodel"), "python": ("backend", "python")},
    artefact=ARTEFACT,
    packages=("tensorflow", "tensorflow-cpu"),
    options=TensorFlowOptions,
    session_options=frozenset({"intra_op_threads", "inter_op_threads"}),
    parameters=_parameters,
    build=_build,
    load=_load,
    loader="tensorflow",
    native_parameters=SESSION_SHARE,
    # The first batch of each size took up to a quarter of a second: docs/explanation/tuning.md.
    stalls_on=frozenset({"gpu"}),
)
