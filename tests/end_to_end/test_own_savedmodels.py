"""SavedModels of every kind on the real server: the answers of the source, alone, in batches and among others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton

from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

from .conftest import run_in_builder_env
from .known_answers import Arrays, known

# No engine but TensorFlow has tables, or decodes JPEGs; OpenVINO has no texts.
VARIANTS = [
    *(f"{name}.tensorflow" for name in ("official", "alone", "texts", "numbers", "odd", "lengths", "table", "jpegs")),
    *(f"{name}.onnxruntime" for name in ("official", "alone", "texts", "numbers", "odd", "lengths")),
    *(f"{name}.openvino" for name in ("official", "alone", "numbers", "odd", "lengths")),
]
CLIENTS, ROUNDS = 12, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository in models/, and inputs and answers of each case."""
    path = tmp_path_factory.mktemp("own")
    run_in_builder_env("own_savedmodels.py", str(path))
    return path


@pytest.fixture(scope="module")
def client(folder: Path, server_python: str) -> Iterator[Any]:
    """A client of a server on this repository; models are loaded by each test."""
    server = find_tritonserver(None, server_python)
    with TritonProcess(server, folder / "models", pick_ports(), folder / "triton.log") as process:
        yield triton.InferenceServerClient(process.grpc_address)


def ask(client: Any, variant: str, arrays: Arrays) -> Arrays:
    """One request, and its answers in the shapes that the server gives them."""
    described = client.get_model_metadata(variant)
    inputs = []
    for tensor in described.inputs:
        array = arrays[tensor.name]
        # A number alone has a dimension of its own on the wire.
        array = array[:, None] if array.ndim == 1 else array
        array = array.astype(object) if tensor.datatype == "BYTES" else array
        one = triton.InferInput(tensor.name, list(array.shape), tensor.datatype)
        one.set_data_from_numpy(array)
        inputs.append(one)
    result = client.infer(variant, inputs)
    return {tensor.name: result.as_numpy(tensor.name) for tensor in described.outputs}


def differs(found: Arrays, expected: Arrays) -> str:
    """What of an answer is not the source's; empty where all is."""
    if set(found) != set(expected):
        return f"names {sorted(found)} in place of {sorted(expected)}"
    for name, array in expected.items():
        if found[name].size != array.size:
            return f"{name} has the shape {found[name].shape} in place of {array.shape}"
        same = found[name].reshape(array.shape)
        if array.dtype.kind == "f" and not np.allclose(same, array, rtol=1e-3, atol=1e-4):
            return f"{name} differs by {np.abs(same - array).max()}"
        if array.dtype.kind != "f" and not np.array_equal(same.astype(array.dtype), array):
            return f"{name} is {same.tolist()} in place of {array.tolist()}"
    return ""


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_server_answers_as_the_source(variant: str, folder: Path, client: Any) -> None:
    """A batch of three, each row alone, and many clients at once, whose requests the server joins."""
    case = variant.partition(".")[0]
    inputs, expected = known(folder, case, "in_"), known(folder, case, "out_")
    client.load_model(variant)
    assert differs(ask(client, variant, inputs), expected) == ""
    rows = range(len(next(iter(inputs.values()))))
    sent = [row for _ in range(CLIENTS * ROUNDS // len(rows)) for row in rows]
    with ThreadPoolExecutor(CLIENTS) as pool:
        found = pool.map(lambda row: ask(client, variant, _row(inputs, row)), sent)
        problems = [differs(one, _row(expected, row)) for row, one in zip(sent, found, strict=True)]
    assert [problem for problem in problems if problem] == []
    client.unload_model(variant)


def _row(arrays: Arrays, row: int) -> Arrays:
    return {name: array[row : row + 1] for name, array in arrays.items()}
