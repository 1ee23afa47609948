"""Run in the builder's environment: SavedModels that others published, built from the plan that `init` writes.

python public_models.py PACKAGES FOLDER
PACKAGES is where they are installed. FOLDER/models is the repository; FOLDER/NAME.npz has inputs (in_NAME) and what
TensorFlow itself answers (out_NAME).
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import known_answers
import numpy as np
import tensorflow as tf
import yaml

from model_repo_builder import init_plan
from model_repo_builder.build.directory import build
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.report import BuildLog, console

RANDOM = np.random.default_rng(0)
CODE = [
    "def f(x):\n    return [y for y in x]\n",
    "#include <stdio.h>\nint main() { return 0; }\n",
    "SELECT a FROM b;\n",
]


@dataclass(frozen=True)
class Published:
    """A SavedModel in a package, one batch for it, and what a user fills into the lines with CHECK."""

    path: str
    inputs: dict[str, Any]
    filled: dict[str, Any] = field(default_factory=dict)


MODELS = {
    # Two seconds of sound at 22,050 Hz; the notes in it.
    "notes": Published(
        "basic_pitch/saved_models/icassp_2022/nmp",
        {"input_2": RANDOM.uniform(-1, 1, (3, 43844, 1)).astype(np.float32)},
        {"range": [-1, 1]},
    ),
    # A spectrogram; whether a thrush called.
    "thrush": Published(
        "vesper/mpg_ranch/nfc_coarse_classifier_3_0/Thrush Classifier/TensorFlow SavedModel",
        {"Conv2D_0_input": RANDOM.uniform(0, 60, (3, 99, 17, 1)).astype(np.float32)},
        {"range": [0, 60]},
    ),
    # Source code; its language.
    "language": Published("guesslang/data/model", {"inputs": np.array(CODE, object)}, {"values": CODE}),
}


def main(packages: Path, folder: Path) -> None:
    """Build every model, and ask TensorFlow for its answers."""
    for name, model in MODELS.items():
        source = packages / model.path
        raw = yaml.safe_load(init_plan.write(str(source)))
        raw["model"]["name"] = name
        for values in raw["model"]["inputs"].values():
            values.update(model.filled)
        raw["agreement"]["count"] = 4
        for variant in raw["variants"]:
            variant["name"] = f"{name}.{variant['name']}"
        build(parse_plan(raw), folder / "models", BuildLog(console(), quiet=True))
        run = tf.saved_model.load(str(source)).signatures["serving_default"]
        answers = run(**{key: tf.constant(array) for key, array in model.inputs.items()})
        outputs = {key: array.numpy() for key, array in answers.items()}
        known_answers.save(folder / f"{name}.npz", model.inputs, outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
