"""Requests are generated from a model's metadata: right size, sane values, and named when that can't be done."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import Image
from tritonclient.grpc import model_config_pb2, service_pb2

from command_line.errors import ModelError, UsageError
from slo_tuner.load.payload import make_payload
from triton_contract import encoded_image
from triton_contract.encoded_image import EncodedImage
from triton_contract.input_values import PREFIX, Values, declare, declared


def _metadata(datatype: str, shape: list[int]) -> service_pb2.ModelMetadataResponse:
    metadata = service_pb2.ModelMetadataResponse(name="m")
    metadata.inputs.add(name="image", datatype=datatype, shape=shape)
    return metadata


def _sent(datatype: str, shape: list[int], max_batch: int = 8) -> service_pb2.ModelInferRequest:
    payload = make_payload(_metadata(datatype, shape), max_batch, {})
    return service_pb2.ModelInferRequest.FromString(payload.grpc_body)


def test_a_batching_model_gets_a_batch_of_one() -> None:
    request = _sent("FP32", [-1, 224, 224, 3])
    assert list(request.inputs[0].shape) == [1, 224, 224, 3]
    assert len(request.raw_input_contents[0]) == 224 * 224 * 3 * 4


def test_a_model_without_batching_gets_its_own_shape() -> None:
    assert list(_sent("INT64", [384], max_batch=0).inputs[0].shape) == [384]


@pytest.mark.parametrize("datatype", ["FP32", "FP16", "FP64"])
def test_floats_are_finite_and_like_pixels(datatype: str) -> None:
    dtype = {"FP32": np.float32, "FP16": np.float16, "FP64": np.float64}[datatype]
    values = np.frombuffer(_sent(datatype, [-1, 1000]).raw_input_contents[0], dtype)
    assert np.isfinite(values).all() and values.min() >= 0 and 200 < values.max() <= 255


def test_texts_are_length_prefixed() -> None:
    raw = _sent("BYTES", [-1, 2]).raw_input_contents[0]
    assert raw == 2 * (struct.pack("<I", 4) + b"text")


@pytest.mark.parametrize("shape", [(48, 64, 3), (3, 48, 64)])
def test_an_encoded_image_is_a_jpeg_of_the_size_that_the_model_says(shape: tuple[int, ...]) -> None:
    config = model_config_pb2.ModelConfig(name="m")
    encoded_image.declare(config, {"image": EncodedImage(shape, "float32", (0, 1))})
    payload = make_payload(_metadata("BYTES", [-1, 1]), 8, {}, values=declared(config))
    request = service_pb2.ModelInferRequest.FromString(payload.grpc_body)
    assert list(request.inputs[0].shape) == [1, 1]
    (length,) = struct.unpack("<I", request.raw_input_contents[0][:4])
    content = request.raw_input_contents[0][4:]
    assert len(content) == length
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (64, 48), "RGB")
        assert np.asarray(image).std() > 20


@pytest.mark.parametrize("text", ["", "224x224", "{}", '{"shape": [0, 1, 3], "dtype": "uint8"}', '{"shape": 3}', "[]"])
def test_a_parameter_that_describes_no_image_is_named(text: str) -> None:
    config = model_config_pb2.ModelConfig(name="m")
    config.parameters[f"{encoded_image.PREFIX}image"].string_value = text
    with pytest.raises(ModelError, match=r"parameter encoded_image\.image of model 'm'"):
        declared(config)


def test_both_protocols_carry_the_same_tensor() -> None:
    payload = make_payload(_metadata("UINT8", [-1, 4, 3]), 8, {})
    header = json.loads(payload.http_body[: payload.http_json_bytes])
    assert header["inputs"] == [
        {"name": "image", "shape": [1, 4, 3], "datatype": "UINT8", "parameters": {"binary_data_size": 12}}
    ]
    request = service_pb2.ModelInferRequest.FromString(payload.grpc_body)
    assert payload.http_body[payload.http_json_bytes :] == request.raw_input_contents[0]


def test_an_open_dimension_must_be_given() -> None:
    with pytest.raises(UsageError, match=r"shape: 'image.*give every dimension"):
        make_payload(_metadata("FP32", [-1, -1, 3]), 8, {})
    shaped = make_payload(_metadata("FP32", [-1, -1, 3]), 8, {"image": [5, 3]})
    assert list(service_pb2.ModelInferRequest.FromString(shaped.grpc_body).inputs[0].shape) == [1, 5, 3]


def test_a_shape_for_an_input_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="shape: 'pixels' is not allowed; the inputs of m are: image"):
        make_payload(_metadata("FP32", [-1, 3]), 8, {"pixels": [3]})


def _config(**parameters: str) -> model_config_pb2.ModelConfig:
    config = model_config_pb2.ModelConfig(name="m")
    for key, text in parameters.items():
        config.parameters[PREFIX + key].string_value = text
    return config


@pytest.mark.parametrize(("datatype", "dtype"), [("INT32", np.int32), ("INT64", np.int64)])
def test_values_that_a_model_declares_are_kept_to(datatype: str, dtype: type[np.generic]) -> None:
    payload = make_payload(_metadata(datatype, [-1, 5000]), 8, {}, values=declared(_config(image="7..9")))
    raw = service_pb2.ModelInferRequest.FromString(payload.grpc_body).raw_input_contents[0]
    assert set(np.frombuffer(raw, dtype)) == {7, 8, 9}


def test_values_of_another_input_change_nothing() -> None:
    values = declared(_config(mask="1..1"))
    assert make_payload(_metadata("INT32", [-1, 8]), 8, {}, values=values) == make_payload(
        _metadata("INT32", [-1, 8]), 8, {}
    )


def test_declared_values_are_read_as_they_were_written() -> None:
    config, values = _config(), {"input_ids": Values(0, 30521), "attention_mask": Values(1, 1)}
    declare(config, values)
    assert declared(config) == values


@pytest.mark.parametrize("text", ["", "0", "0-9", "9..0", "a..b"])
def test_a_parameter_that_is_no_range_is_named(text: str) -> None:
    with pytest.raises(ModelError, match=r"parameter request_values\.image of model 'm': .* is not LEAST\.\.MOST"):
        declared(_config(image=text))
