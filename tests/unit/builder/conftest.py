"""A small valid plan that each test changes in one place."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

BASE: dict[str, Any] = {
    "model": {
        "name": "tiny",
        "source": "keras:MobileNetV2",
        "arguments": {"alpha": 0.35, "classes": 10},
        "weights": "random:42",
        "input": {"size": [32, 32]},
    },
    "calibration": {"images": "synthetic:1"},
    "runtime": "python",
    "variants": [
        {"name": "original", "engine": "tensorflow"},
        {"name": "fast", "engine": "onnxruntime", "precision": "int8", "max_batch_size": 16},
    ],
}


@pytest.fixture
def raw() -> dict[str, Any]:
    """The plan as YAML gives it."""
    return deepcopy(BASE)


@pytest.fixture
def changed(raw: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """The plan with the value at a path replaced."""

    def change(*path: str | int, value: object) -> dict[str, Any]:
        here: Any = raw
        for part in path[:-1]:
            here = here[part]
        here[path[-1]] = value
        return raw

    return change
