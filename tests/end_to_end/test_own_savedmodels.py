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

OF_TENSORFLOW = ("official", "alone", "texts", "numbers", "odd", "lengths", "table", "jpegs", "particular", "masked")
# No engine but TensorFlow has tables, or decodes JPEGs; OpenVINO has no texts.
VARIANTS = [
    *(f"{name}.tensorflow" for name in OF_TENSORFLOW),
    *(f"{name}.onnxruntime" for name in ("official", "alone", "texts", "numbers", "odd", "lengths", "masked")),
    *(f"{name}.openvino" for name in ("official", "alone", "numbers", "odd", "lengths", "masked")),
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


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_is_warmed_up_with_its_examples(variant: str, client: Any) -> None:
    """One that fails on zeros or empty texts loads: it was given neither."""
    client.load_model(variant)
    config = client.get_model_config(variant).config
    files = [data.input_data_file for sample in config.model_warmup for data in sample.inputs.values()]
    assert files and all(files)
    client.unload_model(variant)


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one.startswith("masked")])
def test_requests_of_different_lengths_are_joined_once_they_are_padded_to_a_length_in_common(
    variant: str, client: Any
) -> None:
    """Alone Triton runs each length by itself; the mask keeps every answer as it was."""
    client.load_model(variant)
    random = np.random.default_rng(7)
    requests = [{"input_ids": random.integers(0, 50, (1, length), np.int32)} for length in range(5, 17)]
    for request in requests:
        request["attention_mask"] = np.ones_like(request["input_ids"])
    padded = [
        {name: np.pad(array, ((0, 0), (0, 16 - array.shape[1]))) for name, array in one.items()} for one in requests
    ]
    (answers, runs), (of_padded, fewer) = (_at_once(client, variant, sent) for sent in (requests, padded))
    assert [differs(one, other) for one, other in zip(of_padded, answers, strict=True) if differs(one, other)] == []
    assert runs == len(requests)
    assert fewer <= len(requests) // 2
    client.unload_model(variant)


def _at_once(client: Any, variant: str, requests: list[Arrays]) -> tuple[list[Arrays], int]:
    """The answers to requests that are sent at once, and how often the model ran for them."""
    before = client.get_inference_statistics(variant).model_stats[0].execution_count
    with ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(lambda one: ask(client, variant, one), requests))
    return answers, client.get_inference_statistics(variant).model_stats[0].execution_count - before


def _row(arrays: Arrays, row: int) -> Arrays:
    return {name: array[row : row + 1] for name, array in arrays.items()}
