"""Requests that fail inside the model, on the real tritonserver: they fail, it lives on and counts them."""

import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports
from triton_contract import metrics

from .conftest import http_request

MODEL, REQUESTS = "onnx_fp32", 64


def _spoiled(repository: Path, folder: Path) -> Path:
    """The repository with a model that loads and then fails every request; a warm-up would already fail."""
    shutil.copytree(repository / MODEL, folder / MODEL)
    config = folder / MODEL / "config.pbtxt"
    config.write_text(re.sub(r"^model_warmup \{.*?^\}\n", "", config.read_text(), flags=re.MULTILINE | re.DOTALL))
    with (folder / MODEL / "1" / "model.py").open("a") as program:
        program.write("\nload = lambda *_: lambda arrays: 1 / 0\n")
    return folder


def _counted(server: TritonProcess, metric: str) -> int:
    """Triton's counter of the model, over all of its labels."""
    text = http_request("GET", server.metrics_url).data.decode()
    found = re.findall(rf'^{metric}\{{model="{MODEL}".*\}} (\d+)$', text, re.MULTILINE)
    return sum(map(int, found))


def test_a_batch_that_fails_is_counted_as_failed_and_the_server_lives_on(
    repository: Path, server_python: str, tmp_path: Path
) -> None:
    models = _spoiled(repository, tmp_path / "models")
    program = find_tritonserver(server_python=server_python)
    image = triton.InferInput("image", [1, 160, 160, 3], "FP32")
    image.set_data_from_numpy(np.zeros((1, 160, 160, 3), np.float32))
    with (
        TritonProcess(program, models, pick_ports(), tmp_path / "log", [f"--load-model={MODEL}"]) as server,
        closing(triton.InferenceServerClient(server.grpc_address)) as client,
        ThreadPoolExecutor(16) as pool,
    ):
        deadline = time.monotonic() + 60
        while not client.is_model_ready(MODEL):
            assert time.monotonic() < deadline, server.last_words()
            time.sleep(0.1)

        def ask(_: int) -> str:
            try:
                client.infer(MODEL, [image])
            except InferenceServerException as error:
                return str(error.message())
            return ""

        assert all("ZeroDivisionError: division by zero" in answer for answer in pool.map(ask, range(REQUESTS)))
        server.check()
        # Triton counts a request after its answer has left.
        while _counted(server, metrics.REQUEST_FAILURE) < REQUESTS:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert _counted(server, metrics.REQUEST_SUCCESS) == 0
