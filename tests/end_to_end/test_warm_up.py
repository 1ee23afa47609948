"""What Triton really runs before a model is ready: each batch size of the warm-up, in each instance, and no other."""

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_repo_builder.plan.file import parse_plan
from model_repo_builder.repository import config_pbtxt, warm_up
from model_repo_builder.signature import OPEN, STRING, Signature, Tensor
from slo_tuner.triton.control import Control
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

# Writes how many rows each execution has, and what its numbers are.
NOTING = """\
from pathlib import Path

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.path = Path(args["model_repository"]) / "executions"

    def execute(self, requests):
        arrays = [pb_utils.get_input_tensor_by_name(request, "image").as_numpy() for request in requests]
        with self.path.open("a") as notes:
            notes.write(f"{len(arrays)} {arrays[0].shape}\\n")
        answer = [pb_utils.Tensor("scores", array.reshape(len(array), -1)[:, :2]) for array in arrays]
        return [pb_utils.InferenceResponse([one]) for one in answer]
"""


# Answers no empty text and no zero, and writes what it was asked.
STRICT = """\
from pathlib import Path

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.path = Path(args["model_repository"]) / "executions"

    def execute(self, requests):
        for request in requests:
            text, numbers = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("text", "n"))
            if not numbers.all() or not all(text.ravel()):
                raise ValueError("an empty text or a zero")
            with self.path.open("a") as notes:
                notes.write(f"{len(requests)} {text.tolist()} {numbers.tolist()}\\n")
        return [pb_utils.InferenceResponse([pb_utils.Tensor("score", numbers[:, :1])]) for _ in requests]
"""
STRICT_SIGNATURE = Signature(
    (Tensor("text", STRING, (1,)), Tensor("n", "float32", (OPEN,))), (Tensor("score", "float32", (1,)),), warm_up=False
)


def _executions(
    tmp_path: Path, server_python: str, signature: Signature, rows: tuple[Any, ...] = (), **variant: Any
) -> Counter[str]:
    """What a variant with this warm-up runs when it is loaded, and how often."""
    plan = {
        "model": {"name": "noting", "source": "keras:MobileNetV2", "weights": "random:1"},
        "runtime": "python",
        "variants": [{"name": "noting", "engine": "tensorflow", "max_batch_size": 6, **variant}],
    }
    folder = tmp_path / "models" / "noting"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.py").write_text(STRICT if rows else NOTING)
    config = config_pbtxt.model_config(parse_plan(plan).variants[0], signature, "python", rows=rows)
    (folder / "config.pbtxt").write_text(config_pbtxt.text(config))
    warm_up.write(folder, config, signature, rows)
    program = find_tritonserver(server_python=server_python)
    with (
        TritonProcess(program, folder.parent, pick_ports(), tmp_path / "server.log") as server,
        closing(Control(server.grpc_address, server)) as control,
    ):
        control.load("noting", 60.0)
        return Counter((folder / "executions").read_text().splitlines())


def _signature(*, batched: bool) -> Signature:
    leading = () if batched else (1,)
    image = Tensor("image", "float32", (*leading, 2, 2, 3))
    return Signature((image,), (Tensor("scores", "float32", (*leading, 2)),), batched)


@pytest.mark.parametrize(
    ("variant", "sizes"),
    [({"warm_up": "all"}, range(1, 7)), ({"warm_up": "all", "instances": 2}, range(1, 7)), ({}, [1, 4])],
    ids=["all", "all of two instances", "default"],
)
def test_each_chosen_batch_size_runs_once_in_each_instance(
    tmp_path: Path, server_python: str, variant: dict[str, Any], sizes: list[int]
) -> None:
    found = _executions(tmp_path, server_python, _signature(batched=True), preferred_batch_sizes=[4], **variant)
    assert found == {f"{size} (1, 2, 2, 3)": variant.get("instances", 1) for size in sizes}


def test_a_model_without_a_batch_runs_once(tmp_path: Path, server_python: str) -> None:
    assert _executions(tmp_path, server_python, _signature(batched=False)) == {"1 (1, 2, 2, 3)": 1}


def test_a_model_that_answers_no_zeros_is_warmed_up_with_the_rows_of_its_examples(
    tmp_path: Path, server_python: str
) -> None:
    """Texts and numbers of each row's own length; a batch is so many requests of one row."""
    rows = tuple(
        {"text": np.array([text.encode()], object), "n": np.array(numbers, np.float32)}
        for text, numbers in (("a film", [1, 2, 3]), ("caf\u00e9", [-4]))
    )
    found = _executions(tmp_path, server_python, STRICT_SIGNATURE, rows, preferred_batch_sizes=[4])
    texts = [[[row["text"][0]]] for row in rows]
    assert found == {f"1 {texts[0]} [[1.0, 2.0, 3.0]]": 1, f"4 {texts[1]} [[-4.0]]": 4}
