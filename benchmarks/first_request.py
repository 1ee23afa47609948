"""Whether a request ever pays for building: the first request of each batch size after loading, against the median.

    python benchmarks/first_request.py --repository models --models tftrt_fp16,tftrt_int8 --server-python PYTHON

Each model is loaded anew on a tritonserver of its own. Prints a table and JSON: latencies in ms, one request in flight.
"""

import argparse
import json
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

import locust  # noqa: F401  before any socket
import numpy as np
import tritonclient.grpc as triton

from command_line.environment import describe_environment
from slo_tuner.triton.control import Control
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, pick_ports

BATCHES = (1, 2, 3, 8, 17, 64)
AGAIN = 30


def main() -> int:
    """Measure every model; the exit status says whether each first request kept to twice the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--models", required=True)
    parser.add_argument("--server-python")
    parser.add_argument("--output", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    program = find_tritonserver(None, options.server_python)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for model in options.models.split(","):
            log = Path(scratch, "tritonserver.log")
            with (
                TritonProcess(program, options.repository, pick_ports(), log) as server,
                closing(Control(server.grpc_address, server)) as control,
            ):
                load_s = control.load(model, 300.0)
                rows += [{"model": model, "load_s": load_s, **row} for row in _latencies(control, server, model)]
    print(f"{'model':28} {'batch':>5} {'first ms':>9} {'median ms':>9} {'ratio':>6}")
    for row in rows:
        print(f"{row['model']:28} {row['batch']:5} {row['first_ms']:9.1f} {row['median_ms']:9.1f} {row['ratio']:6.2f}")
    text = json.dumps({"rows": rows, "environment": describe_environment()}, indent=1)
    if options.output is None:
        print(text)
    else:
        options.output.write_text(text + "\n")
    return 0 if all(row["ratio"] <= 2 for row in rows) else 1


def _latencies(control: Control, server: TritonProcess, model: str) -> list[dict[str, float]]:
    config, (tensor,) = control.config(model), control.metadata(model).inputs
    rows = []
    with closing(triton.InferenceServerClient(server.grpc_address)) as client:
        client.is_server_live()  # connects, so that no inference pays for that
        for batch in (size for size in BATCHES if size <= config.max_batch_size):
            image = triton.InferInput(tensor.name, [batch, *tensor.shape[1:]], tensor.datatype)
            dtype = {"FP32": np.float32, "UINT8": np.uint8}[tensor.datatype]
            image.set_data_from_numpy(np.random.default_rng(1).integers(0, 256, image.shape()).astype(dtype))
            first, *again = [_one(client, model, image) for _ in range(1 + AGAIN)]
            median = statistics.median(again)
            rows.append({"batch": batch, "first_ms": first, "median_ms": median, "ratio": first / median})
    return rows


def _one(client: triton.InferenceServerClient, model: str, image: triton.InferInput) -> float:
    begin = time.perf_counter()
    client.infer(model, [image])
    return (time.perf_counter() - begin) * 1000


if __name__ == "__main__":
    raise SystemExit(main())
