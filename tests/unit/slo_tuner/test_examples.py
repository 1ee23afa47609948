"""Rows of examples become requests that are sent in turn; where they come from is found, or named when it is wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.utils import deserialize_bytes_tensor

from command_line.errors import UsageError
from example_files import kept
from slo_tuner.access.client_access import Access
from slo_tuner.load.examples import GENERATED, check_examples, describe, find_examples, read_rows, wanted
from slo_tuner.load.locust_settings import read_settings
from slo_tuner.load.messages import Assignment
from slo_tuner.load.payload import make_payloads


def metadata() -> service_pb2.ModelMetadataResponse:
    answer = service_pb2.ModelMetadataResponse(name="m")
    answer.inputs.add(name="ids", datatype="INT32", shape=[-1, -1])
    answer.inputs.add(name="text", datatype="BYTES", shape=[-1, 1])
    return answer


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [{"ids": list(range(length)), "text": "t" * length} for length in (1, 2, 3, 9)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def made(rows: Path) -> Any:
    return make_payloads(metadata(), 8, read_rows(rows, wanted(metadata(), 8)))


def test_each_row_is_a_request_of_its_own_shape(rows: Path) -> None:
    requests = [service_pb2.ModelInferRequest.FromString(payload.grpc_body) for payload in made(rows)]
    assert sorted(tuple(request.inputs[0].shape) for request in requests) == [(1, 1), (1, 2), (1, 3), (1, 9)]
    for payload, request in zip(made(rows), requests, strict=True):
        ids = np.frombuffer(request.raw_input_contents[0], np.int32)
        assert ids.tolist() == list(range(len(ids)))
        assert deserialize_bytes_tensor(request.raw_input_contents[1]).tolist() == [b"t" * len(ids)]
        header = json.loads(payload.http_body[: payload.http_json_bytes])
        assert [one["shape"] for one in header["inputs"]] == [[1, len(ids)], [1, 1]]
        assert payload.http_body[payload.http_json_bytes :] == b"".join(request.raw_input_contents)


def test_the_order_is_the_seeds_alone(rows: Path) -> None:
    found = read_rows(rows, wanted(metadata(), 8))
    one, other = (make_payloads(metadata(), 8, found, seed=seed) for seed in (1, 2))
    assert made(rows) == made(rows) and one != other and set(one) == set(other) == set(made(rows))


def test_a_model_without_a_batch_gets_rows_as_they_are(rows: Path) -> None:
    answer = service_pb2.ModelMetadataResponse(name="m")
    answer.inputs.add(name="ids", datatype="INT32", shape=[-1])
    (first, *_) = make_payloads(answer, 0, read_rows(rows, wanted(answer, 0)))
    assert len(service_pb2.ModelInferRequest.FromString(first.grpc_body).inputs[0].shape) == 1


def test_each_worker_begins_its_turns_elsewhere_and_hears_of_every_request(rows: Path) -> None:
    work = Assignment("grpc", "localhost:1", 1.0, made(rows))
    shares = [work.of_worker(place, 2) for place in range(2)]
    assert [share.first for share in shares] == [0, 2]
    assert Assignment.from_message(shares[1].to_message(), Access()) == shares[1]


def test_the_results_say_what_was_sent(rows: Path) -> None:
    found = read_rows(rows, wanted(metadata(), 8))
    sent = describe(rows, found, [0.1, 0.3, 0.2, 0.4])
    assert sent.sizes["ids"].model_dump() == {"least": 1.0, "median": 2.5, "most": 9.0}
    assert sent.megabytes.model_dump() == {"least": 0.1, "median": 0.25, "most": 0.4}
    assert str(sent).startswith(f"4 rows of {rows} in turn; sizes: ids 1 to 9, median 2.5")


def repository(folder: Path, *versions: int, sampled: int = 0) -> Path:
    for version in versions:
        (folder / "m" / str(version)).mkdir(parents=True)
    (folder / "m" / "config.pbtxt").touch()
    if sampled:
        kept.write(folder / "m" / str(sampled) / kept.FILE, [{"x": np.int32(1)}])
    return folder


def test_the_sample_is_that_of_the_highest_version(tmp_path: Path) -> None:
    models = repository(tmp_path, 2, 9, 10, sampled=10)
    assert find_examples("m", None, models) == find_examples("m", models, None) == models / "m" / "10" / kept.FILE


def test_rows_are_generated_where_there_are_none_or_nobody_wants_them(tmp_path: Path) -> None:
    models = repository(tmp_path / "a", 1)
    assert find_examples("m", None, models) is None and find_examples("m", None, None) is None
    sampled = repository(tmp_path / "b", 1, sampled=1)
    assert find_examples("m", Path(GENERATED), sampled) is None


def test_a_repository_that_was_asked_for_must_have_a_sample_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^examples: '.*, of other' is not allowed; give a file; samples lie beside m$"
    ):
        find_examples("other", repository(tmp_path, 1, sampled=1), None)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^examples: '.*none' is not allowed; give a file, a directory of images"):
        check_examples("examples", tmp_path / "none")
    environment = {"SLO_TUNER_MODEL": "m", "SLO_TUNER_EXAMPLES": str(tmp_path / "none")}
    with pytest.raises(UsageError, match=r"^SLO_TUNER_EXAMPLES: '.*none' is not allowed; give a file"):
        read_settings(environment)


def test_a_wrong_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('{"ids": [1]}')
    with pytest.raises(
        UsageError, match=r"^examples: '.*rows, line 1: an instance with ids' is not allowed; give the inp"
    ):
        read_rows(tmp_path / "rows", wanted(metadata(), 8))


def test_a_directory_of_images_gives_pixels(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for value in (10, 200):
        (tmp_path / str(value)).mkdir()
        image.new("RGB", (30, 20), (value, 0, 0)).save(tmp_path / str(value) / "a.png")
    answer = service_pb2.ModelMetadataResponse(name="m")
    answer.inputs.add(name="image", datatype="FP32", shape=[-1, 8, 8, 3])
    first, second = read_rows(tmp_path, wanted(answer, 8))
    assert first["image"].shape == (8, 8, 3) and first["image"].dtype == np.float32
    assert (first["image"][..., 0] == 10).all() and (second["image"][..., 0] == 200).all()
    answer.inputs[0].shape[:] = [-1, 5]
    with pytest.raises(
        UsageError, match=r"a directory of images' is not allowed; give a file of examples, as the model"
    ):
        read_rows(tmp_path, wanted(answer, 8))
