"""The part of a generated model.py that answers Triton: takes requests apart, runs them, and makes responses."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    from model_repo_builder.repository.runtime_python.batching import Batcher
    from model_repo_builder.repository.runtime_python.decode_images import Decoder
    from model_repo_builder.repository.runtime_python.load_onnxruntime import load

# Of a parameter in config.pbtxt that says what becomes of an input's encoded images; model.py decodes them only then.
ENCODED = "encoded_image."


class TritonPythonModel:
    """What Triton's python backend drives: one object for each instance, in a process of its own."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the artefact beside this file; `args` holds the model's configuration as JSON."""
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        shapes = {tensor["name"]: tensor.get("reshape") for tensor in config["input"]}
        self.numbers = {name for name, shape in shapes.items() if shape is not None and not shape.get("shape")}
        outputs = [tensor["name"] for tensor in config["output"]]
        parameters = {key: value["string_value"] for key, value in config.get("parameters", {}).items()}
        device = int(args["model_instance_device_id"]) if args["model_instance_kind"] == "GPU" else None
        folder = Path(args["model_repository"], args["model_version"])
        run = load(folder, parameters, device, outputs)
        self.batched = int(config.get("max_batch_size", 0)) > 0
        self.batcher = Batcher(run, self.inputs, batched=self.batched)
        # What a loader does with each request, and refuses it by, before they are joined.
        self.prepare = getattr(run, "prepare", None)
        encoded = {key.removeprefix(ENCODED): text for key, text in parameters.items() if key.startswith(ENCODED)}
        self.decoders = {name: Decoder(text) for name, text in encoded.items()}
        if self.decoders:
            run({name: decoder.blank() for name, decoder in self.decoders.items()})

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run the joined batch; each response gets its own rows of the outputs.

        What goes wrong is raised: Triton then fails every request of the batch and counts it as failed. Responses that
        hold an error count as successes, and one error object for several of them ends the server (2.51).
        """
        sent = [{name: self.array(request, name) for name in self.inputs} for request in requests]
        if self.decoders or self.prepare:
            return self.prepare_and_execute(requests, sent)
        answers = self.batcher.answer(sent)
        return [respond(request, results) for request, results in zip(requests, answers, strict=True)]

    def array(self, request: Any, name: str) -> Any:
        """An input; a number alone without the dimension that Triton takes away from requests, not from a warm-up."""
        array = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
        return array.reshape(array.shape[: int(self.batched)]) if name in self.numbers else array

    def prepare_and_execute(self, requests: list[Any], sent: list[dict[str, Any]]) -> list[Any]:
        """The same where a request may be refused: what can't be decoded, or computed, fails its own request alone."""
        prepared: dict[int, dict[str, Any]] = {}
        responses: dict[int, Any] = {}
        for index, arrays in enumerate(sent):
            try:
                decoded = {**arrays, **{name: one(arrays[name]) for name, one in self.decoders.items()}}
                prepared[index] = self.prepare(decoded) if self.prepare else decoded
            except ValueError as error:
                responses[index] = pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))
        answers = self.batcher.answer(list(prepared.values())) if prepared else []
        for index, results in zip(prepared, answers, strict=True):
            responses[index] = respond(requests[index], results)
        return [responses[index] for index in range(len(requests))]


def respond(request: Any, results: dict[str, Any]) -> Any:
    """The response with the outputs that this request asked for."""
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, results[name]) for name in wanted])
