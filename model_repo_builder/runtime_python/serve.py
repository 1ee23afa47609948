"""The part of a generated model.py that answers Triton: joins a dynamic batch, runs it once, splits the outputs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    from model_repo_builder.runtime_python.load_onnxruntime import load


class TritonPythonModel:
    """What Triton's python backend drives: one object for each instance, in a process of its own."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the artefact beside this file; `args` holds the model's configuration as JSON."""
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        outputs = [tensor["name"] for tensor in config["output"]]
        parameters = {key: value["string_value"] for key, value in config.get("parameters", {}).items()}
        device = int(args["model_instance_device_id"]) if args["model_instance_kind"] == "GPU" else None
        folder = Path(args["model_repository"], args["model_version"])
        self.run = load(folder, parameters, device, outputs)

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response for each request of a dynamic batch; a failure becomes their error, not a crash."""
        try:
            return self.answer(requests)
        except Exception as error:
            failure = pb_utils.TritonError(f"{type(error).__name__}: {error}")
            return [pb_utils.InferenceResponse(error=failure) for _ in requests]

    def answer(self, requests: list[Any]) -> list[Any]:
        """Run the joined batch; each response gets its own rows of the outputs."""
        parts = {
            name: [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            for name in self.inputs
        }
        if len(requests) == 1:
            return [respond(requests[0], self.run({name: part[0] for name, part in parts.items()}))]
        results = self.run({name: numpy.concatenate(part) for name, part in parts.items()})
        responses = []
        start = 0
        for request, rows in zip(requests, parts[self.inputs[0]], strict=True):
            stop = start + len(rows)
            responses.append(respond(request, {name: array[start:stop] for name, array in results.items()}))
            start = stop
        return responses


def respond(request: Any, results: dict[str, Any]) -> Any:
    """The response with the outputs that this request asked for."""
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, results[name]) for name in wanted])
