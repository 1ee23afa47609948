"""Variants that take image files, on the real server: the answers of the pixels, broken files alone, every client."""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tritonclient.grpc as triton
import yaml
from PIL import Image
from tritonclient.utils import InferenceServerException

from model_repo_builder.examples import image_pixels

from .conftest import ROOT, build_plan, run_tuner, started

ENGINES = ("tensorflow", "onnxruntime", "openvino")
FILES = [f"files_{engine}" for engine in ENGINES]
CLIENTS = 12
# Of probabilities: engines differ by rounding, a pixel that is another by one step changes more.
ROUNDING = 2e-4


class Served(NamedTuple):
    """Where the variants are."""

    grpc: str
    http: str
    rest: str


@pytest.fixture(scope="module")
def served(server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The tiny network with pixels, and with files in every engine; requests wait a little to be joined."""
    folder = tmp_path_factory.mktemp("encoded")
    plan = yaml.safe_load((ROOT / "plans" / "tiny.yaml").read_text())
    plan["agreement"] = {"count": 4}
    encoded = {"encoded_images": True, "max_batch_size": 8, "max_queue_delay_us": 20_000}
    plan["variants"] = [
        {"name": "pixels", "engine": "onnxruntime"},
        *({"name": f"files_{engine}", "engine": engine, **encoded} for engine in ENGINES),
    ]
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    models = build_plan(folder / "plan.yaml", folder / "models")
    load = [f"--load={name}" for name in ("pixels", *FILES)]
    serve = ["serve", str(models), *load, f"--server-python={server_python}", f"--log={folder / 'log'}"]
    with started("slo-tuner", serve, until="models:", deadline_s=180) as (_, printed):
        found = re.search(r"gRPC (\S+), HTTP (\S+),", printed)
        assert found, printed
        front = ["--host=127.0.0.1", "--port=0", f"--triton={found[1]}"]
        with started("tfserving-front", front, until="REST on") as (_, said):
            yield Served(found[1], found[2], said.split()[2])


def picture(seed: int, size: tuple[int, int] = (90, 60)) -> Any:
    """Shapes in colour, of another size than the network's input."""
    cells = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def file_of(image: Any, kind: str, **options: Any) -> bytes:
    kept = io.BytesIO()
    image.save(kept, kind, **options)
    return kept.getvalue()


def turned() -> bytes:
    """A JPEG whose EXIF data say that it lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return file_of(picture(3), "JPEG", exif=exif)


def ask(address: str, model: str, array: Any) -> Any:
    client = triton.InferenceServerClient(address)
    (declared,) = client.get_model_metadata(model).inputs
    sent = triton.InferInput(declared.name, list(array.shape), declared.datatype)
    sent.set_data_from_numpy(array)
    result = client.infer(model, [sent])
    client.close()
    return result.as_numpy(result.get_response().outputs[0].name)


def by_pixels(address: str, files: list[bytes]) -> Any:
    """What the variant with pixels says of files that the client decodes."""
    client = triton.InferenceServerClient(address)
    height, width = client.get_model_metadata("pixels").inputs[0].shape[1:3]
    client.close()
    pixels = [image_pixels.fit(image_pixels.decode(io.BytesIO(one)), (height, width)) for one in files]
    return ask(address, "pixels", np.stack(pixels).astype(np.float32))


def as_files(files: list[bytes]) -> Any:
    return np.array(files, object)[:, None]


@pytest.mark.parametrize("model", FILES)
def test_files_are_answered_as_their_pixels(model: str, served: Served) -> None:
    files = [file_of(picture(0), "PNG"), file_of(picture(1), "JPEG"), file_of(picture(2, (60, 90)), "WEBP"), turned()]
    assert np.abs(ask(served.grpc, model, as_files(files)) - by_pixels(served.grpc, files)).max() < ROUNDING


@pytest.mark.parametrize("model", FILES)
def test_a_broken_file_fails_its_own_request_in_one_line(model: str, served: Served) -> None:
    good = [file_of(picture(seed), "JPEG") for seed in range(CLIENTS)]
    files = [good[number // 2] if number % 2 else good[number // 2][: 9 + number] for number in range(2 * CLIENTS)]
    expected = by_pixels(served.grpc, good)

    def one(content: bytes) -> Any:
        try:
            return ask(served.grpc, model, as_files([content]))[0]
        except InferenceServerException as error:
            return error.message()

    with ThreadPoolExecutor(2 * CLIENTS) as pool:
        answers = list(pool.map(one, files))
    for number, answer in enumerate(answers):
        if number % 2:
            assert np.abs(answer - expected[number // 2]).max() < ROUNDING
        else:
            pattern = rf".*image 0 of the request: {9 + number} bytes that are no image \([^\n]+\)"
            assert re.fullmatch(pattern, answer), answer


def test_the_second_of_a_request_is_named(served: Served) -> None:
    with pytest.raises(InferenceServerException, match="image 1 of the request: 0 bytes that are no image"):
        ask(served.grpc, FILES[0], as_files([file_of(picture(0), "PNG"), b""]))


def test_slo_tuner_sends_images_that_the_model_can_decode(served: Served, tmp_path: Path) -> None:
    where = [f"--address={served.grpc}", f"--output={tmp_path}", "--objective=p95<=5s", "--effort=smoke", "--rate=5"]
    done = run_tuner(["measure", "files_onnxruntime", *where])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("protocol", ["grpc", "json"])
def test_image_client_sends_the_file_itself(protocol: str, served: Served, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(turned())

    def see(model: str) -> list[str]:
        address = served.grpc if protocol == "grpc" else served.rest
        options = [f"--model={model}", f"--protocol={protocol}", f"--address={address}"]
        command = [str(Path(sys.executable).with_name("image-client")), str(photo), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert see("files_onnxruntime") == see("pixels")


def test_the_test_of_the_chart_asks_with_an_image(served: Served) -> None:
    script = ROOT / "charts" / "triton" / "files" / "smoke_test.py"
    command = [sys.executable, str(script), served.http, served.grpc, "files_onnxruntime"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
