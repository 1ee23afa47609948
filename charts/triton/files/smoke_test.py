"""Asks Triton for readiness and metadata, and for one inference over HTTP and gRPC, model by model.

    python smoke_test.py HTTP_ADDRESS GRPC_ADDRESS MODEL...

Exits 1 with one line that names the model and the step when something is wrong.
"""

import base64
import sys

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

TIMEOUT_S = 60
# One grey pixel: the model makes of it an image of its own size.
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")


def example(tensor, parameters):
    """A seeded array for an input's metadata; a free dimension becomes 1, an encoded image a grey one."""
    shape = [1 if int(size) < 0 else int(size) for size in tensor["shape"]]
    if tensor["datatype"] == "BYTES":
        text = PNG if f"encoded_image.{tensor['name']}" in parameters else b"text"
        return np.full(shape, text, dtype=np.object_)
    return np.random.default_rng(0).integers(0, 2, shape).astype(triton_to_np_dtype(tensor["datatype"]))


def infer(protocol, client, model, metadata, parameters):
    """All outputs by name, from one request through the given client module."""
    inputs = []
    for tensor in metadata["inputs"]:
        array = example(tensor, parameters)
        inputs.append(protocol.InferInput(tensor["name"], list(array.shape), tensor["datatype"]))
        inputs[-1].set_data_from_numpy(array)
    result = client.infer(model, inputs)
    return {tensor["name"]: result.as_numpy(tensor["name"]) for tensor in metadata["outputs"]}


def check(http, grpc, model):
    """Raises ValueError when the two protocols disagree or an output is no number."""
    if not http.is_model_ready(model) or not grpc.is_model_ready(model):
        raise ValueError("is not ready")
    metadata = http.get_model_metadata(model)
    if grpc.get_model_metadata(model).name != metadata["name"]:
        raise ValueError("has other metadata over gRPC than over HTTP")
    parameters = http.get_model_config(model).get("parameters", {})
    over_http = infer(triton_http, http, model, metadata, parameters)
    over_grpc = infer(triton_grpc, grpc, model, metadata, parameters)
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
    return metadata


def main(http_address, grpc_address, models):
    """Checks the server, then each model; returns the exit status."""
    http = triton_http.InferenceServerClient(http_address, connection_timeout=TIMEOUT_S, network_timeout=TIMEOUT_S)
    grpc = triton_grpc.InferenceServerClient(grpc_address)
    if not (http.is_server_ready() and grpc.is_server_ready()):
        print(f"the server at {http_address} and {grpc_address} is not ready", file=sys.stderr)
        return 1
    print(f"ready: Triton {http.get_server_metadata()['version']}")
    for model in models:
        try:
            metadata = check(http, grpc, model)
        except (ValueError, InferenceServerException) as error:
            print(f"model {model}: {error}", file=sys.stderr)
            return 1
        print(f"model {model}: versions {metadata['versions']}, HTTP and gRPC agree")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
