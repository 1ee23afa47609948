"""The plans of docs/tutorials/your-model.md are plans, and build SavedModels of the kinds that the page describes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import savedmodel_kinds as kinds
import tensorflow as tf
import yaml

from model_repo_builder.build.directory import build
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.report import BuildLog

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "your-model.md"
PLANS = dict(re.findall(r"```yaml\n# (\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


def detector(folder: Path) -> Path:
    """Ten boxes with scores and classes, from the colours of ten stripes of the image."""

    def serve(image: Any) -> dict[str, Any]:
        stripes = tf.reduce_mean(tf.reshape(image, [-1, 10, 4, 40, 3]), [2, 3]) / 255.0
        corner = stripes[..., :2] * 0.5
        boxes = tf.concat([corner, corner + 0.1 + stripes[..., 1:] * 0.3], -1)
        classes = tf.cast(tf.argmax(stripes, -1), tf.int64)
        return {"boxes": boxes, "scores": tf.reduce_max(stripes, -1), "classes": classes}

    return kinds.save(folder, serve, tf.TensorSpec((None, 40, 40, 3), tf.float32, name="image"))


def ranking(folder: Path) -> Path:
    """A score for a user, two items and an age."""
    random = np.random.default_rng(2)
    users, items = (tf.Variable(random.normal(size=(size, 8)).astype(np.float32)) for size in (50, 100))
    specs = (
        tf.TensorSpec((None,), tf.int64, name="user"),
        tf.TensorSpec((None, 2), tf.int64, name="items"),
        tf.TensorSpec((None,), tf.float32, name="age"),
    )

    def serve(user: Any, listed: Any, age: Any) -> dict[str, Any]:
        likes = tf.reduce_sum(tf.gather(users, user) * tf.reduce_mean(tf.gather(items, listed), 1), -1)
        return {"score": tf.sigmoid(likes - age / 50)}

    return kinds.save(folder, serve, *specs, users=users, items=items)


def test_the_page_has_a_plan_for_each_kind() -> None:
    assert set(PLANS) == {"classifier", "detector", "tabular", "text", "sound"}
    for text in PLANS.values():
        assert parse_plan(yaml.safe_load(text)).chosen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "make"), [("classifier", kinds.classifier), ("detector", detector), ("tabular", ranking)]
)
def test_the_plan_builds(name: str, make: Callable[[Path], Path], tmp_path: Path, log: BuildLog) -> None:
    raw = yaml.safe_load(PLANS[name])
    raw["model"]["source"] = str(make(tmp_path / "export"))
    rows = build(parse_plan(raw), tmp_path / "models", log)
    assert [row.manifest.variant for row in rows] == [variant["name"] for variant in raw["variants"]]
