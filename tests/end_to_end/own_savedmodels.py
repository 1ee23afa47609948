"""Run in the builder's environment: SavedModels of several kinds, built, and what each answers when run directly.

python own_savedmodels.py FOLDER
FOLDER/models is the repository; FOLDER/NAME.npz has inputs (in_NAME) and the source's answers (out_NAME).
"""

import sys
from pathlib import Path
from typing import Any

import known_answers
import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[1] / "builder_env"))
import savedmodel_kinds as kinds

from model_repo_builder.build.directory import build
from model_repo_builder.errors import BuildError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.report import BuildLog, console

RANDOM = np.random.default_rng(0)
# Pictures of very different brightness: a row that went to another client is no rounding.
PICTURES = RANDOM.uniform(0, 1, (3, kinds.SIZE, kinds.SIZE, 3)) * [[[[255, 9, 90]]], [[[9, 255, 9]]], [[[1, 1, 255]]]]
JPEGS = [tf.io.encode_jpeg(PICTURES[row].astype(np.uint8)).numpy() for row in range(3)]
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "official": (kinds.official_resnet, {"image": PICTURES.astype(np.float32)}),
    "alone": (lambda folder: kinds.fixed_batch(folder, 1), {"image": PICTURES[:1].astype(np.float32)}),
    "texts": (kinds.texts_out, {"image": PICTURES.astype(np.float32)}),
    "numbers": (kinds.two_numbers, {"user": np.array([1, 7, 49]), "Weight": np.array([1, -2, 3], np.float32)}),
    "odd": (kinds.odd_names, {"Images/x:0": PICTURES.astype(np.float32)}),
    "lengths": (kinds.recurrent, {"sequence": RANDOM.normal(size=(3, 11, 4)).astype(np.float32)}),
    "table": (kinds.table, {"image": PICTURES.astype(np.float32)}),
    "particular": (
        kinds.particular,
        {"text": np.array([b"a film", b"x", b"caf\xc3\xa9"]), "weight": np.array([1, -2, 3], np.float32)},
    ),
    "masked": (
        kinds.masked,
        {"input_ids": RANDOM.integers(0, 50, (3, 11), np.int32), "attention_mask": np.ones((3, 11), np.int32)},
    ),
    "jpegs": (kinds.encoded_images, {"image_bytes": np.array(JPEGS)}),
}
# What plans say of these alone: texts to try, and time for requests to meet in a batch.
MODELS = {"particular": {"inputs": {"text": {"values": ["a film", "x"]}}}}
OPTIONS = {"masked": {"max_queue_delay_us": 300_000}}


def main(folder: Path) -> None:
    """Save, run and build every case."""
    for name, (make, inputs) in CASES.items():
        source = make(folder / "sources" / name)
        model = tf.saved_model.load(str(source))
        answers = model.signatures["serving_default"](**{key: tf.constant(array) for key, array in inputs.items()})
        known_answers.save(folder / f"{name}.npz", inputs, {key: array.numpy() for key, array in answers.items()})
        variants = [
            {"name": f"{name}.{one}", "engine": one, "max_batch_size": 8, **OPTIONS.get(name, {})}
            for one in ("tensorflow", "onnxruntime", "openvino")
        ]
        raw = {
            "model": {"name": "own", "source": str(source), **MODELS.get(name, {})},
            "agreement": {"count": 4},
            "runtime": "python",
            "variants": variants,
        }
        try:
            build(parse_plan(raw), folder / "models", BuildLog(console(), quiet=True))
        except BuildError as error:
            print(error)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
