"""Whatever stands at any key of a plan for a SavedModel: it is taken, or refused in one line that names the key."""

import datetime
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from model_repo_builder.build.check import check
from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.file import parse_plan
from tests.saved_model_file import write

WHOLE: dict[str, Any] = {
    "model": {
        "name": "own",
        "signature": "serving_default",
        "input": {"name": "image", "size": [8, 8], "dtype": "float32", "range": [0, 1]},
        "inputs": {"image": {"shape": [8, 8, 3], "range": [0, 1], "values": []}},
        "arguments": {},
        "batching": True,
        "preprocessing": "none",
        "labels": None,
        "weights": None,
        "fallback_weights": None,
    },
    "examples": "synthetic:1",
    "calibration": {"images": None, "count": 2},
    "agreement": {"source": None, "count": 2, "outputs": {"y": "difference"}},
    "runtime": "python",
    "compute_capability": None,
    "defaults": {"max_batch_size": 8},
    "variants": [
        {
            "name": "one",
            "engine": "onnxruntime",
            "precision": "fp32",
            "device": "cpu",
            "input_dtype": None,
            "encoded_images": False,
            "sequence_length": None,
            "max_batch_size": 4,
            "preferred_batch_sizes": [2],
            "max_queue_delay_us": 0,
            "instances": 1,
            "warm_up": True,
            "priority": "default",
            "queue": {"max_size": 3, "timeout_us": 100, "on_timeout": "reject"},
            "tier": None,
            "agreement": {"min_top1": None, "max_abs_diff": 0.1, "min_same": None},
            "options": {"quantisation": "auto", "intra_op_threads": 0, "allow_spinning": True},
        }
    ],
}
ANYTHING: list[Any] = [
    *(None, True, -1, 0, 3.5, float("inf"), float("nan"), 10**30, -(10**30), "", "x", "a\0b", "two\nlines", "x" * 5000),
    *([], [1], [[1]], [None, None], [-1, 10**30], [1e300, 1e308], [3, 2, 1], {}, {"a": 1}, {"image": {"range": 3}}),
    *({1: 2}, {"b64": "?"}, [{"b64": "?"}], datetime.date(2026, 1, 1), b"bytes", "s3://", "synthetic:x", "/", "~"),
]


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested mappings and lists, from the whole down."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, one in inside for path in paths(one, (*here, key)))]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel of images."""
    return write(tmp_path_factory.mktemp("m"), {"image": (-1, -1, -1, 3)}, {"y": (-1, 5)}).parent


@pytest.mark.parametrize("path", [*paths(WHOLE)[1:], ("model", "source")], ids=lambda path: ".".join(map(str, path)))
def test_anything_at_a_key_is_taken_or_refused_in_one_line(path: tuple[Any, ...], source: Path) -> None:
    for value in ANYTHING:
        raw = deepcopy(WHOLE)
        raw["model"]["source"] = str(source)
        here: Any = raw
        for part in path[:-1]:
            here = here[part]
        here[path[-1]] = value
        try:
            check(parse_plan(raw))
        except InvalidError as refused:
            assert "\n" not in str(refused), value
            assert "; allowed: " in str(refused), value
            assert len(str(refused)) < 2000, value
        except Exception as error:
            pytest.fail(f"{value!r:.80}: {type(error).__name__}: {error}")


def test_the_whole_plan_itself_is_valid(source: Path) -> None:
    raw = deepcopy(WHOLE)
    raw["model"] |= {"source": str(source), "arguments": {}}
    check(parse_plan(raw))
