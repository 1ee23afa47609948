"""The documents about a model: its versions' status and its signature, in TensorFlow Serving's form."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import RestError, for_clients
from .signature import Signature, Tensor

# Triton's states of a version, as TensorFlow Serving's ModelVersionStatus names them.
_STATES = {"READY": "AVAILABLE", "LOADING": "LOADING", "UNLOADING": "UNLOADING", "UNAVAILABLE": "END"}
_UNLOADED = "unloaded"


@dataclass(frozen=True)
class Version:
    """A version of a model as Triton's repository index lists it; `reason` says why it is not ready."""

    number: str
    state: str
    reason: str

    @property
    def is_ready(self) -> bool:
        """Whether it answers requests."""
        return self.state == "READY"


def known(versions: Iterable[Version]) -> list[Version]:
    """The versions that are or were to be served, the newest first.

    Triton also lists what nobody loaded and what was unloaded on purpose, which TensorFlow Serving would not know.
    """
    listed = [one for one in versions if one.state in _STATES and one.reason != _UNLOADED]
    return sorted(listed, key=lambda one: int(one.number or 0), reverse=True)


def status_document(model: str, wanted: str, versions: Sequence[Version]) -> dict[str, Any]:
    """`model_version_status` of the versions, or of the one that is wanted; RestError 404 when there is none."""
    chosen = [one for one in versions if not wanted or one.number == wanted]
    if not chosen and wanted:
        raise RestError(404, f"Could not find version {wanted} of model {model}")
    if not chosen:
        raise RestError(404, f"Could not find any versions of model {model}")
    return {"model_version_status": [_version_status(one) for one in chosen]}


def _version_status(version: Version) -> dict[str, Any]:
    code = "UNKNOWN" if version.reason else "OK"
    return {
        "version": version.number,
        "state": _STATES[version.state],
        "status": {"error_code": code, "error_message": for_clients(version.reason)},
    }


def metadata_document(model: str, version: str, signature: Signature) -> dict[str, Any]:
    """`model_spec` and the signature; tensors in the graph have the signature's names, as Triton knows no others."""
    definition = {
        "inputs": {one.name: _tensor_info(one) for one in signature.inputs},
        "outputs": {one.name: _tensor_info(one) for one in signature.outputs},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
    return {
        "model_spec": {"name": model, "signature_name": "", "version": version},
        "metadata": {"signature_def": {"signature_def": {signature.name: definition}}},
    }


def _tensor_info(tensor: Tensor) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in tensor.shape]
    shape = {"dim": dims, "unknown_rank": False}
    return {"dtype": tensor.dtype.tensorflow, "tensor_shape": shape, "name": tensor.name}
