"""The alias on the real tritonserver, started with the arguments that charts/triton gives it."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from command_line.errors import ServerError
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports
from triton_contract import metrics

from .conftest import ROOT, http_request

sys.path.insert(0, str(ROOT / "tests" / "chart"))

from render import one, render

ALIAS, IMAGES = "tiny", np.random.default_rng(0).uniform(0, 255, (4, 160, 160, 3)).astype(np.float32)


def _chart_arguments(repository: Path, variant: str, alias: str) -> list[str]:
    """What the chart adds to tritonserver's arguments beyond the repository, which lies elsewhere here."""
    values = {"modelRepository": {"models": [variant], "alias": alias, "source": "url", "url": "gs://models"}}
    container = one(render(values), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    arguments = [argument.replace("gs://models", str(repository)) for argument in container["args"]]
    assert arguments[0] == f"--model-repository={repository}"
    return [one for one in arguments[1:] if one.startswith(("--model-repository=", "--load-model=", "--strict"))]


@contextmanager
def _serving(
    repository: Path, server_python: str, variant: str, log: Path, alias: str = ALIAS
) -> Iterator[TritonProcess]:
    """A server as the chart would start it, once it is ready."""
    arguments = _chart_arguments(repository, variant, alias)
    program = find_tritonserver(server_python=server_python)
    with TritonProcess(program, repository, pick_ports(), log, arguments) as server:
        deadline = time.monotonic() + 60
        with closing(triton.InferenceServerClient(server.grpc_address)) as client:
            while not client.is_server_ready():
                server.check()
                assert time.monotonic() < deadline, server.last_words()
                time.sleep(0.1)
        yield server


@pytest.fixture(scope="module", params=["onnx_fp32", "onnx_int8"])
def variant(request: pytest.FixtureRequest) -> str:
    """The variant that is chosen."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(
    repository: Path, server_python: str, variant: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TritonProcess]:
    """A server of the variant, with the alias."""
    with _serving(repository, server_python, variant, tmp_path_factory.mktemp("alias") / "log") as running:
        yield running


@pytest.fixture
def client(server: TritonProcess) -> Iterator[triton.InferenceServerClient]:
    """A client of the server."""
    with closing(triton.InferenceServerClient(server.grpc_address)) as opened:
        yield opened


def _request(images: np.ndarray) -> list[triton.InferInput]:
    tensor = triton.InferInput("image", list(images.shape), "FP32")
    tensor.set_data_from_numpy(images)
    return [tensor]


def _count(server: TritonProcess, metric: str, model: str) -> int:
    """Triton's counter of a model."""
    text = http_request("GET", server.metrics_url).data.decode()
    (line,) = [line for line in text.splitlines() if line.startswith(f'{metric}{{model="{model}"')]
    return int(line.rpartition(" ")[2])


def test_the_same_request_is_answered_by_whatever_variant_is_chosen(
    client: triton.InferenceServerClient, variant: str
) -> None:
    answer = client.infer(ALIAS, _request(IMAGES)).as_numpy("probabilities")
    assert np.allclose(answer, client.infer(variant, _request(IMAGES)).as_numpy("probabilities"), atol=1e-5)


def test_the_alias_looks_like_its_variant_to_a_client(client: triton.InferenceServerClient, variant: str) -> None:
    asked = [client.get_model_metadata(name) for name in (ALIAS, variant)]
    assert asked[0].inputs == asked[1].inputs and asked[0].outputs == asked[1].outputs


def test_a_batch_that_is_too_large_is_refused_as_by_the_variant(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"batch-size must be <= 16 for 'tiny'"):
        client.infer(ALIAS, _request(np.repeat(IMAGES, 5, axis=0)))


def _answered(server: TritonProcess, model: str) -> int:
    """The requests that a model has answered, once that is settled: Triton counts one after its answer has left."""
    count, previous = _count(server, metrics.REQUEST_SUCCESS, model), -1
    while count != previous:
        time.sleep(0.2)
        count, previous = _count(server, metrics.REQUEST_SUCCESS, model), count
    return count


def test_each_request_to_the_alias_is_counted_once_under_each_name(
    server: TritonProcess, client: triton.InferenceServerClient, variant: str
) -> None:
    before = [_answered(server, name) for name in (ALIAS, variant)]
    for _ in range(5):
        client.infer(ALIAS, _request(IMAGES))
    assert [_answered(server, name) for name in (ALIAS, variant)] == [count + 5 for count in before]


def test_requests_to_the_alias_share_batches(
    server: TritonProcess, client: triton.InferenceServerClient, variant: str
) -> None:
    answered, executed = _answered(server, variant), _count(server, metrics.EXEC_COUNT, variant)
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda _: client.infer(ALIAS, _request(IMAGES[:1])), range(64)))
    assert _answered(server, variant) == answered + 64
    assert _count(server, metrics.EXEC_COUNT, variant) < executed + 64


def test_an_alias_that_the_plan_does_not_have_ends_the_server_and_is_named(
    repository: Path, server_python: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with pytest.raises(ServerError), _serving(repository, server_python, "onnx_fp32", log, alias="other"):
        pass
    assert "failed to poll model 'other'" in log.read_text()
