"""The request that is sent over and over: generated from a model's metadata, its bytes prepared once."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2
from tritonclient.utils import serialize_byte_tensor, triton_to_np_dtype

from command_line.errors import ModelError, UsageError
from triton_contract.encoded_image import EncodedImage
from triton_contract.input_values import Values


@dataclass(frozen=True)
class Payload:
    """One inference request of `batch` items as it goes over the wire, for either protocol."""

    model: str
    batch: int
    grpc_body: bytes
    http_body: bytes
    http_json_bytes: int

    @property
    def megabytes(self) -> float:
        """Size of the gRPC message in MB."""
        return len(self.grpc_body) / 1e6


def make_payload(
    metadata: service_pb2.ModelMetadataResponse,
    config_max_batch: int,
    shapes: dict[str, list[int]],
    seed: int = 0,
    values: Mapping[str, Values | EncodedImage] | None = None,
) -> Payload:
    """A request for the model of `metadata` with seeded random content, batch 1 where the model batches.

    `shapes` gives the shape, without the batch dimension, of inputs whose metadata leaves a dimension open;
    UsageError names an input that still has one. `values` are those that inputs may hold, where the model says so.
    """
    unknown = sorted(set(shapes) - {tensor.name for tensor in metadata.inputs})
    if unknown:
        names = ", ".join(tensor.name for tensor in metadata.inputs)
        raise UsageError("shape", unknown[0], f"the inputs of {metadata.name} are: {names}")
    request = service_pb2.ModelInferRequest(model_name=metadata.name)
    generator = np.random.default_rng(seed)
    raw = []
    for tensor in metadata.inputs:
        declared = list(tensor.shape)
        batched = config_max_batch > 0
        dims = shapes.get(tensor.name, declared[1:] if batched else declared)
        if any(dim < 1 for dim in dims):
            raise UsageError("shape", f"{tensor.name}:{dims}", f"give every dimension, as --shape {tensor.name}:128,3")
        shape = [1, *dims] if batched else dims
        request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=shape)
        raw.append(_content(tensor.datatype, shape, generator, (values or {}).get(tensor.name)))
    request.raw_input_contents.extend(raw)
    header = _http_header(request, raw)
    return Payload(metadata.name, 1, request.SerializeToString(), header + b"".join(raw), len(header))


def _content(
    datatype: str, shape: list[int], generator: np.random.Generator, allowed: Values | EncodedImage | None
) -> bytes:
    """Random content as raw little-endian bytes: what is allowed, or image-like 0 to 255 for floats and bytes, else
    small numbers."""
    dtype = triton_to_np_dtype(datatype)
    if dtype is None:
        raise ModelError(f"inputs of type {datatype} cannot be generated")
    if dtype is np.object_:
        text = _jpeg(allowed.size, generator) if isinstance(allowed, EncodedImage) else b"text"
        return bytes(serialize_byte_tensor(np.full(shape, text, dtype=np.object_)).item())
    array: NDArray[np.generic]
    if isinstance(allowed, Values):
        array = generator.integers(allowed.least, allowed.most, shape, endpoint=True).astype(dtype)
    elif dtype is bool:
        array = generator.integers(0, 2, shape).astype(bool)
    else:
        # Never random bit patterns: a denormal or NaN input would make some kernels many times slower.
        high = 256 if np.dtype(dtype).kind == "f" or np.dtype(dtype).itemsize == 1 else 1000
        array = generator.integers(0, 127 if dtype is np.int8 else high, shape).astype(dtype)
    return array.tobytes()


def _jpeg(size: tuple[int, int], generator: np.random.Generator) -> bytes:
    """A JPEG of a picture with coarse and fine shapes: as large as that of a photograph of this height and width."""
    from PIL import Image

    height, width = size
    picture = np.zeros((height, width, 3))
    for cells, contrast in ((4, 120), (height // 4, 60), (height, 30)):
        coarse = generator.integers(0, contrast, (max(cells, 2), max(cells, 2), 3)).astype(np.uint8)
        picture += np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    file = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _http_header(request: service_pb2.ModelInferRequest, raw: list[bytes]) -> bytes:
    """The JSON part of an HTTP request with binary tensors, outputs asked for as binary too.

    The format is Triton's binary tensor data extension of the KServe v2 protocol.
    """
    inputs = [
        {"name": t.name, "shape": list(t.shape), "datatype": t.datatype, "parameters": {"binary_data_size": len(data)}}
        for t, data in zip(request.inputs, raw, strict=True)
    ]
    return json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
