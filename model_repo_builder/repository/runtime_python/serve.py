"""The part of a generated model.py that answers Triton: takes requests apart, runs them, and makes responses."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    from model_repo_builder.repository.runtime_python.batching import Batcher
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
        run = load(folder, parameters, device, outputs)
        self.batcher = Batcher(run, self.inputs, batched=int(config.get("max_batch_size", 0)) > 0)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run the joined batch; each response gets its own rows of the outputs.

        What goes wrong is raised: Triton then fails every request of the batch and counts it as failed. Responses that
        hold an error count as successes, and one error object for several of them ends the server (2.51).
        """
        sent = [
            {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
            for request in requests
        ]
        answers = self.batcher.answer(sent)
        return [respond(request, results) for request, results in zip(requests, answers, strict=True)]


def respond(request: Any, results: dict[str, Any]) -> Any:
    """The response with the outputs that this request asked for."""
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, results[name]) for name in wanted])
