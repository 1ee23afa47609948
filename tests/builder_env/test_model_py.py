"""The generated model.py answers a dynamic batch without this package, against a stand-in for Triton's module."""

import io
import json
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import json_format, text_format
from onnx import helper
from PIL import Image
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.build import verify
from model_repo_builder.engines.base import Job
from model_repo_builder.plan.schema import Variant
from model_repo_builder.repository import manifest, model_py
from triton_contract.encoded_image import EncodedImage


class Request:
    """What Triton hands to execute()."""

    def __init__(self, images: Any) -> None:
        self.images = images

    def requested_output_names(self) -> list[str]:
        """Every output."""
        return ["probabilities"]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's module, reduced to what model.py uses."""
    module = ModuleType("triton_python_backend_utils")
    module.get_input_tensor_by_name = lambda request, name: SimpleNamespace(as_numpy=lambda: request.images)  # type: ignore[attr-defined]
    module.Tensor = lambda name, array: SimpleNamespace(name=name, array=array)  # type: ignore[attr-defined]
    module.InferenceResponse = lambda tensors=(), error=None: SimpleNamespace(tensors=tensors, error=error)  # type: ignore[attr-defined]
    module.TritonError = str  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)


def start(variant: Path) -> Any:
    """The model object as Triton would initialise it."""
    config = text_format.Parse((variant / "config.pbtxt").read_text(), pb.ModelConfig())
    model = runpy.run_path(str(variant / "1" / "model.py"))["TritonPythonModel"]()
    arguments = {
        "model_config": json.dumps(json_format.MessageToDict(config, preserving_proto_field_name=True)),
        "model_repository": str(variant),
        "model_version": "1",
        "model_instance_kind": "CPU",
        "model_instance_device_id": "0",
    }
    model.initialize(arguments)
    return model


@pytest.mark.usefixtures("stand_in", "settled_tensorflow")
@pytest.mark.parametrize("name", ["original", "onnx_fp32"])
def test_each_request_of_a_batch_gets_its_own_rows(repository: Path, name: str) -> None:
    model = start(repository / name)
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    together = model.execute([Request(images[:1]), Request(images[1:])])
    alone = model.execute([Request(images)])[0].tensors[0].array
    joined = np.concatenate([response.tensors[0].array for response in together])
    assert [len(response.tensors[0].array) for response in together] == [1, 2]
    assert np.allclose(joined, alone, atol=1e-5)


def test_it_needs_nothing_of_the_builder_when_it_runs(repository: Path) -> None:
    lines = (repository / "onnx_fp32" / "1" / "model.py").read_text().splitlines()
    assert not [line for line in lines if line.startswith(("import model_repo", "from model_repo"))]


@pytest.mark.usefixtures("stand_in")
def test_a_server_without_openvino_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    path = tmp_path / "model.py"
    path.write_text(model_py.generate("openvino"))
    with pytest.raises(RuntimeError, match=r"^this server's python3 has no package openvino: pip install openvino$"):
        runpy.run_path(str(path))


def _joined(repository: Path) -> Any:
    return runpy.run_path(str(repository / "onnx_fp32" / "1" / "model.py"))["Joined"]()


@pytest.mark.usefixtures("stand_in")
def test_batches_are_joined_in_memory_that_is_kept_and_aligned(repository: Path) -> None:
    joined = _joined(repository)
    parts = [np.full((rows, 5, 3), rows, np.float32) for rows in (1, 2, 4)]
    first = joined.join(parts)
    assert np.array_equal(first, np.concatenate(parts)) and first.ctypes.data % 64 == 0
    second = joined.join(parts[:2])
    assert np.array_equal(second, np.concatenate(parts[:2])) and np.shares_memory(first, second)


@pytest.mark.usefixtures("stand_in")
def test_a_single_request_is_used_where_it_lies_unless_it_lies_askew(repository: Path) -> None:
    memory = np.zeros(64 * 4 + 128, np.uint8)
    start = -memory.ctypes.data % 64
    straight = memory[start : start + 240].view(np.float32).reshape(1, 60)
    askew = memory[start + 4 : start + 244].view(np.float32).reshape(1, 60)
    assert _joined(repository).join([straight]) is straight
    moved = _joined(repository).join([askew])
    assert moved.ctypes.data % 64 == 0 and np.array_equal(moved, askew)


def test_an_artefact_is_verified_as_it_is_served_in_batches_that_it_takes(repository: Path) -> None:
    variant = Variant(name="onnx_fp32", engine="onnxruntime", max_batch_size=2)
    made = manifest.read(repository / "onnx_fp32")
    assert made is not None
    folder = repository / "onnx_fp32" / "1"
    job = Job(
        savedmodel=folder,
        signature=made.signature,
        base=folder,
        base_signature=made.signature,
        precision="fp32",
        options=variant.engine_options,
        calibration=None,
        max_batch_size=2,
        folder=folder,
    )
    images = np.random.default_rng(0).uniform(0, 255, (5, 32, 32, 3)).astype(np.float32)
    served = verify.as_served(variant, job)({"image": images})["probabilities"]
    loaded = variant.resolved_engine.load(folder, made.signature)({"image": images})["probabilities"]
    assert served.shape == loaded.shape == (5, 10) and np.allclose(served, loaded, atol=1e-5)


@pytest.fixture
def decoder(tmp_path: Path, stand_in: None) -> Any:
    """The decoder of a generated model.py, by what its parameter describes."""
    path = tmp_path / "model.py"
    path.write_text(model_py.generate("onnxruntime", encoded_images=True))
    return runpy.run_path(str(path))["Decoder"]


def stored(pixels: Any) -> Any:
    """A PNG of these pixels, as a request of one row."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return np.array([file.getvalue()], object)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (EncodedImage((6, 5, 3), "uint8"), lambda pixels: pixels),
        (EncodedImage((6, 5, 3), "float32"), lambda pixels: pixels.astype(np.float32)),
        (EncodedImage((6, 5, 3), "float32", (-1, 1)), lambda pixels: pixels.astype(np.float32) / 255 * 2 - 1),
        (
            EncodedImage((3, 6, 5), "float32", (0, 1)),
            lambda pixels: np.moveaxis(pixels.astype(np.float32), -1, 0) / 255,
        ),
        (EncodedImage((6, 5, 4), "uint8"), lambda pixels: np.dstack([pixels, np.full((6, 5), 255, np.uint8)])),
        (
            EncodedImage((6, 5, 1), "float16"),
            lambda pixels: np.rint(pixels @ np.array([0.299, 0.587, 0.114]))[..., None].astype(np.float16),
        ),
    ],
    ids=lambda one: str(one) if isinstance(one, EncodedImage) else "",
)
def test_a_file_becomes_what_the_artefact_takes(decoder: Any, image: EncodedImage, expected: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
    found = decoder(str(image))(stored(pixels))
    assert (found.dtype, found.shape) == (image.dtype, (1, *image.shape))
    assert np.allclose(found[0], expected(pixels), atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0 no JPEG"])
def test_a_file_that_is_no_image_is_named_with_its_row(decoder: Any, content: bytes) -> None:
    files = np.array([stored(np.zeros((6, 5, 3), np.uint8))[0], content], object)
    with pytest.raises(ValueError, match=rf"^image 1 of the request: {len(content)} bytes that are no image \(.+\)$"):
        decoder(str(EncodedImage((6, 5, 3), "uint8")))(files[:, None])


def echo(folder: Path, loader: str, kind: int) -> Any:
    """A generated model.py that gives back the values of its one input, with an artefact that holds such a graph."""
    values = [helper.make_tensor_value_info(name, kind, ["n"]) for name in ("x", "probabilities")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["probabilities"])], "g", values[:1], values[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "1").mkdir()
    onnx.save(made, folder / "1" / "model.onnx")
    if loader == "openvino":
        import openvino

        openvino.save_model(openvino.Core().read_model(folder / "1" / "model.onnx"), folder / "1" / "model.xml")
    (folder / "1" / "model.py").write_text(model_py.generate(loader))
    config = pb.ModelConfig(max_batch_size=8)
    for tensors, name in ((config.input, "x"), (config.output, "probabilities")):
        tensors.add(name=name, dims=[1]).reshape.SetInParent()
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config))
    return start(folder)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("loader", "kind", "good", "bad", "message"),
    [
        (
            "onnxruntime",
            onnx.TensorProto.STRING,
            np.array(["Zürich".encode()], object),
            np.array([b"\xff\xfe"], object),
            "x: a text of 2 bytes that is no UTF-8; allowed: UTF-8, or a variant of the engine tensorflow",
        ),
        (
            "openvino",
            onnx.TensorProto.INT64,
            np.array([-(2**31)]),
            np.array([2**31]),
            "x: 2147483648; allowed: -2147483648 to 2147483647, as OpenVINO computes int64 in int32, or a variant of "
            "another engine",
        ),
    ],
)
def test_what_an_engine_can_not_be_given_fails_its_own_request_alone(
    loader: str, kind: int, good: Any, bad: Any, message: str, tmp_path: Path
) -> None:
    if loader == "openvino":
        pytest.importorskip("openvino")
    model = echo(tmp_path, loader, kind)
    answered, refused = model.execute([Request(good), Request(bad)])
    assert answered.tensors[0].array.tolist() == good.tolist()
    assert (refused.error, list(refused.tensors)) == (message, [])
