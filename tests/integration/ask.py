"""One inference over HTTP and over gRPC with a seeded input; prints both answers as one line of JSON.

python3 ask.py HTTP_ADDRESS GRPC_ADDRESS MODEL; runs in a Pod of the load generator's image.
"""

import json
import sys

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http


def answers(http: str, grpc: str, model: str) -> dict[str, object]:
    """The model that answered, and its first output, by protocol."""
    found: dict[str, object] = {}
    for name, protocol, address in (("http", triton_http, http), ("grpc", triton_grpc, grpc)):
        client = protocol.InferenceServerClient(address)
        metadata = client.get_model_metadata(model, **({"as_json": True} if name == "grpc" else {}))
        tensor = metadata["inputs"][0]
        shape = [max(1, int(size)) for size in tensor["shape"]]
        image = np.random.default_rng(7).uniform(0, 255, shape).astype(np.float32)
        request = protocol.InferInput(tensor["name"], shape, tensor["datatype"])
        request.set_data_from_numpy(image)
        result = client.infer(model, [request])
        about = result.get_response()
        answered = about["model_name"] if name == "http" else about.model_name
        output = result.as_numpy(metadata["outputs"][0]["name"])
        found[name] = {"model": answered, "output": [float(value) for value in output.ravel()]}
    return found


if __name__ == "__main__":
    print(json.dumps(answers(*sys.argv[1:])))
