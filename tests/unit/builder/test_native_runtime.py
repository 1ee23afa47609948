"""What the backends of NVIDIA's image do not read is said of a plan that relies on it, and of no other."""

from pathlib import Path
from typing import Any

import pytest

from model_repo_builder.cli import main
from model_repo_builder.plan.file import load_plan, parse_plan
from model_repo_builder.plan.native_runtime import warnings

PLANS = sorted((Path(__file__).parents[3] / "plans").glob("*.yaml"))


def _found(raw: dict[str, Any], runtime: str = "ngc") -> list[str]:
    return warnings(parse_plan(raw, runtime=runtime))


@pytest.mark.parametrize(("threads", "said"), [(0, "every core's threads poll"), (2, "2 threads poll")])
def test_threads_that_poll_all_the_same_are_named(raw: dict[str, Any], threads: int, said: str) -> None:
    raw["variants"][1]["options"] = {"allow_spinning": False, "intra_op_threads": threads}
    (warning,) = _found(raw)
    assert warning.startswith("variants.fast.options.allow_spinning: false") and said in warning
    assert "allowed: intra_op_threads 1" in warning


@pytest.mark.parametrize(
    ("options", "runtime"),
    [
        ({"allow_spinning": False, "intra_op_threads": 1}, "ngc"),
        ({"intra_op_threads": 2}, "ngc"),
        ({"allow_spinning": False, "intra_op_threads": 2}, "python"),
    ],
)
def test_one_thread_polling_that_was_asked_for_and_the_python_runtime_are_no_matter(
    raw: dict[str, Any], options: dict[str, Any], runtime: str
) -> None:
    raw["variants"][1]["options"] = options
    assert _found(raw, runtime) == []


def test_models_that_want_other_threads_of_one_process_are_named(raw: dict[str, Any]) -> None:
    raw["variants"][0]["options"] = {"intra_op_threads": 2}
    raw["variants"].append({"name": "other", "engine": "tensorflow"})
    (warning,) = _found(raw)
    assert warning.startswith("variants.original.options.intra_op_threads: 2, and other other: TensorFlow's threads")
    assert _found(raw, "python") == []


def test_models_that_want_the_same_threads_are_no_matter(raw: dict[str, Any]) -> None:
    for variant in (raw["variants"][0], {"name": "other", "engine": "tensorflow"}):
        variant["options"] = {"intra_op_threads": 2, "inter_op_threads": 1}
        raw["variants"] = [one for one in raw["variants"] if one["name"] != variant["name"]] + [variant]
    assert _found(raw) == []


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.name)
def test_the_plans_of_this_repository_need_no_warning(path: Path) -> None:
    plan = load_plan(path)
    assert warnings(plan) == []
    tuned = [one for one in plan.variants if one.name.endswith("_tuned") and one.engine == "onnxruntime"]
    assert {one.options.get("intra_op_threads") for one in tuned} <= {1}


def test_the_command_prints_warnings_on_stderr(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "model: {name: tiny, source: 'keras:MobileNetV2', weights: 'random:1'}\n"
        "variants:\n- {name: fast, engine: onnxruntime, options: {allow_spinning: false}}\n"
    )
    assert main(["validate", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("model-repo-builder: warning: variants.fast.options.allow_spinning: false")
    assert "valid; runtime ngc" in printed.out
