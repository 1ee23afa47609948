"""The part of a generated model.py that answers Triton: joins a dynamic batch, runs it once, splits the outputs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    from model_repo_builder.repository.runtime_python.load_onnxruntime import load


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
        self.joined = {name: Joined() for name in self.inputs}

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run the joined batch; each response gets its own rows of the outputs.

        What goes wrong is raised: Triton then fails every request of the batch and counts it as failed. Responses that
        hold an error count as successes, and one error object for several of them ends the server (2.51).
        """
        parts = {
            name: [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            for name in self.inputs
        }
        results = self.run({name: self.joined[name].join(part) for name, part in parts.items()})
        responses = []
        start = 0
        for request, rows in zip(requests, parts[self.inputs[0]], strict=True):
            stop = start + len(rows)
            responses.append(respond(request, {name: array[start:stop] for name, array in results.items()}))
            start = stop
        return responses


class Joined:
    """The rows of a dynamic batch, one after the other in memory that is kept and that frameworks can use as it is.

    Fresh memory for each batch would cost more than the copy into it: the kernel clears every page first.
    """

    def __init__(self) -> None:
        self.memory = numpy.empty(0, numpy.uint8)

    def join(self, parts: list[Any]) -> Any:
        """One array of all rows; a single part that lies on a 64-byte boundary is given back without a copy."""
        first = parts[0]
        if first.dtype.hasobject:
            return numpy.concatenate(parts)
        if len(parts) == 1 and first.ctypes.data % 64 == 0:
            return first
        size = sum(part.nbytes for part in parts)
        if size > len(self.memory):
            fresh = numpy.empty(size + 64, numpy.uint8)
            offset = -fresh.ctypes.data % 64
            self.memory = fresh[offset : offset + size]
        rows = sum(len(part) for part in parts)
        joined = self.memory[:size].view(first.dtype).reshape(rows, *first.shape[1:])
        return numpy.concatenate(parts, out=joined)


def respond(request: Any, results: dict[str, Any]) -> Any:
    """The response with the outputs that this request asked for."""
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, results[name]) for name in wanted])
