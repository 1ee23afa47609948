"""Run in the builder's environment: SavedModels in a Triton repository, and what each answers when run directly.

python saved_models.py REPOSITORY < REQUESTS > ANSWERS
JSON on both sides: {name: [model, version, {input: value}]} becomes {name: {output: value}}.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_repo_builder.repository.model_py import generate

CONFIG = """backend: "python"
max_batch_size: {batch}
{tensors}
version_policy {{ all {{ }} }}
instance_group {{ kind: KIND_CPU }}
"""
LINEAR = """input { name: "x" data_type: TYPE_FP32 dims: 1 }
output { name: "y" data_type: TYPE_FP32 dims: 1 }"""
NAMED = """input { name: "tag" data_type: TYPE_STRING dims: 1 reshape { } }
input { name: "signal" data_type: TYPE_FP32 dims: 5 }
input { name: "sensor" data_type: TYPE_INT32 dims: [2, 2] }
output { name: "tag_bytes" data_type: TYPE_STRING dims: 1 reshape { } }
output { name: "total" data_type: TYPE_FP32 dims: 1 reshape { } }"""

Inputs = dict[str, Any]


def half_plus(number: float) -> Callable[[], tuple[Inputs, Inputs]]:
    """y = x / 2 + number, with TensorFlow Serving's official signature: x is declared [-1, 1]."""

    def graph() -> tuple[Inputs, Inputs]:
        x = tf.compat.v1.placeholder(tf.float32, [None, 1], "x")
        return {"x": x}, {"y": x * 0.5 + number}

    return graph


def named() -> tuple[Inputs, Inputs]:
    """Three inputs as in TensorFlow Serving's documentation: the tag is repeated, everything else added up."""
    tag = tf.compat.v1.placeholder(tf.string, [None], "tag")
    signal = tf.compat.v1.placeholder(tf.float32, [None, 5], "signal")
    sensor = tf.compat.v1.placeholder(tf.int32, [None, 2, 2], "sensor")
    total = tf.reduce_sum(signal, 1) + tf.cast(tf.reduce_sum(sensor, [1, 2]), tf.float32)
    inputs = {"tag": tag, "signal": signal, "sensor": sensor}
    return inputs, {"tag_bytes": tag + tag, "total": total}


def save(folder: Path, graph: Callable[[], tuple[Inputs, Inputs]]) -> None:
    """Write a version of a model: the SavedModel, and the model.py that serves it."""
    folder.mkdir(parents=True)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.simple_save(session, str(folder / "model.savedmodel"), *graph())
    (folder / "model.py").write_text(generate("tensorflow"))


def run(savedmodel: Path, inputs: Inputs) -> dict[str, Any]:
    """The outputs of a SavedModel, run by TensorFlow itself."""
    model = tf.saved_model.load(str(savedmodel))
    function = model.signatures["serving_default"]
    types = {spec.name: spec.dtype for spec in function.inputs}
    arrays = {name: tf.constant(value, types[f"{name}:0"]) for name, value in inputs.items()}
    outputs = {name: tensor.numpy().tolist() for name, tensor in function(**arrays).items()}
    return json.loads(json.dumps(outputs, default=bytes.decode))


def main(repository: Path) -> None:
    """Write the repository, run the requests."""
    for version, number in (("123", 2.0), ("124", 3.0)):
        save(repository / "half_plus" / version, half_plus(number))
    save(repository / "named" / "1", named)
    for name, batch, tensors in (("half_plus", 4, LINEAR), ("named", 8, NAMED)):
        (repository / name / "config.pbtxt").write_text(CONFIG.format(batch=batch, tensors=tensors))
    answers = {
        name: run(repository / model / version / "model.savedmodel", inputs)
        for name, (model, version, inputs) in json.load(sys.stdin).items()
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
