"""Asks Triton for readiness and metadata, and for inferences over HTTP and gRPC, model by model.

    python smoke_test.py HTTP_ADDRESS GRPC_ADDRESS MODEL...

The rows are those of the sample that model-repo-builder keeps beside a model, where MODEL_REPOSITORY is mounted; the
last name, if it has no directory there, is an alias of the first. Without a sample there is one generated row.

Exits 1 with one line that names the model and the step when something is wrong.
"""

import base64
import gzip
import json
import os
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

TIMEOUT_S = 60
MOST_ROWS = 8
SAMPLE = "examples.jsonl.gz"
# One grey pixel: the model makes of it an image of its own size.
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")


def example(tensor, parameters):
    """A seeded array for an input's metadata; a free dimension becomes 1, an encoded image a grey one."""
    shape = [1 if int(size) < 0 else int(size) for size in tensor["shape"]]
    if tensor["datatype"] == "BYTES":
        text = PNG if f"encoded_image.{tensor['name']}" in parameters else b"text"
        return np.full(shape, text, dtype=np.object_)
    return np.random.default_rng(0).integers(0, 2, shape).astype(triton_to_np_dtype(tensor["datatype"]))


def sample(model, first):
    """The first rows of the sample in the model's highest version, as JSON; of an alias that of the first model.

    None where there is no sample.
    """
    repository = os.environ.get("MODEL_REPOSITORY")
    if not repository:
        return []
    folder = Path(repository, model if Path(repository, model).is_dir() else first)
    newest = max(folder.glob(f"[0-9]*/{SAMPLE}"), key=lambda path: int(path.parent.name), default=None)
    if newest is None:
        return []
    with gzip.open(newest, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, MOST_ROWS)]


def array_of(value, tensor, batched):
    """A value of a row as an input's array, alone in its batch; a number by itself is an array of one for Triton."""

    def plain(item):
        if isinstance(item, list):
            return [plain(one) for one in item]
        return base64.b64decode(item["b64"]) if isinstance(item, dict) else item

    dtype = np.object_ if tensor["datatype"] == "BYTES" else triton_to_np_dtype(tensor["datatype"])
    array = np.array(plain(value), dtype=dtype)
    if array.ndim == 0 and len(tensor["shape"]) == 1 + batched:
        array = array.reshape(1)
    return array[None] if batched else array


def requests(rows, metadata, config):
    """The inputs of each request, by name: those of the rows, or one that is generated."""
    if not rows:
        return [{tensor["name"]: example(tensor, config.get("parameters", {})) for tensor in metadata["inputs"]}]
    batched = config.get("max_batch_size", 0) > 0
    return [
        {tensor["name"]: array_of(row[tensor["name"]], tensor, batched) for tensor in metadata["inputs"]}
        for row in rows
    ]


def infer(protocol, client, model, metadata, arrays):
    """All outputs by name, from one request through the given client module."""
    inputs = []
    for tensor in metadata["inputs"]:
        array = arrays[tensor["name"]]
        inputs.append(protocol.InferInput(tensor["name"], list(array.shape), tensor["datatype"]))
        inputs[-1].set_data_from_numpy(array)
    result = client.infer(model, inputs)
    return {tensor["name"]: result.as_numpy(tensor["name"]) for tensor in metadata["outputs"]}


def check(http, grpc, model, rows):
    """The model's metadata and how many requests it answered; ValueError when the two protocols disagree or an output
    is no number. Without `grpc` only HTTP is asked."""
    if not http.is_model_ready(model) or (grpc and not grpc.is_model_ready(model)):
        raise ValueError("is not ready")
    metadata = http.get_model_metadata(model)
    if grpc and grpc.get_model_metadata(model).name != metadata["name"]:
        raise ValueError("has other metadata over gRPC than over HTTP")
    sent = requests(rows, metadata, http.get_model_config(model))
    for arrays in sent:
        over_http = infer(triton_http, http, model, metadata, arrays)
        compare(over_http, infer(triton_grpc, grpc, model, metadata, arrays) if grpc else over_http)
    return metadata, len(sent)


def compare(over_http, over_grpc):
    """ValueError where an output differs by more than rounding, or is no number."""
    for name, value in over_http.items():
        if value is None or over_grpc[name] is None or value.shape != over_grpc[name].shape:
            raise ValueError(f"output {name} differs in shape between HTTP and gRPC")
        if value.dtype.kind != "f":
            continue
        if not np.isfinite(value).all():
            raise ValueError(f"output {name} holds values that are no finite numbers")
        # Two requests may meet different instances or kernels, so they agree but for rounding.
        if not np.allclose(value, over_grpc[name], rtol=1e-2, atol=1e-3):
            raise ValueError(f"output {name} differs between HTTP and gRPC")


def main(http_address, grpc_address, models):
    """Checks the server, then each model; returns the exit status. An empty gRPC address: HTTP alone."""
    http = triton_http.InferenceServerClient(http_address, connection_timeout=TIMEOUT_S, network_timeout=TIMEOUT_S)
    grpc = triton_grpc.InferenceServerClient(grpc_address) if grpc_address else None
    if not (http.is_server_ready() and (grpc is None or grpc.is_server_ready())):
        print(f"the server at {http_address} {grpc_address and f'and {grpc_address} '}is not ready", file=sys.stderr)
        return 1
    print(f"ready: Triton {http.get_server_metadata()['version']}")
    for model in models:
        try:
            rows = sample(model, models[0])
            metadata, count = check(http, grpc, model, rows)
        except (ValueError, KeyError, OSError, InferenceServerException) as error:
            print(f"model {model}: {error}", file=sys.stderr)
            return 1
        kept = f"{count} rows of its sample" if rows else "a generated row"
        agreed = "HTTP and gRPC agree on" if grpc else "over HTTP, as gRPC is behind TLS, it answered"
        print(f"model {model}: versions {metadata['versions']}, {agreed} {kept}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
