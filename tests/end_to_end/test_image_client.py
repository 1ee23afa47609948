"""image-client asks the real tritonserver for the classes of images, over both protocols."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from .conftest import Completed, started

LABELS = [f"thing {number}" for number in range(10)]


class Served(NamedTuple):
    """Where the model `seen` is, which has labels, and where these stand."""

    grpc: str
    rest: str
    labels: Path


@pytest.fixture(scope="module")
def served(repository: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A variant of the tiny network as `seen`, with the labels that a plan would give it, behind both protocols."""
    folder = tmp_path_factory.mktemp("images")
    model = folder / "models" / "seen"
    shutil.copytree(repository / "onnx_fp32", model)
    config = (model / "config.pbtxt").read_text().replace('name: "onnx_fp32"', 'name: "seen"')
    (model / "config.pbtxt").write_text(re.sub(r"output {", 'output {\n  label_filename: "labels.txt"', config))
    labels = model / "labels.txt"
    labels.write_text("\n".join(LABELS) + "\n")
    serve = ["serve", str(folder / "models"), "--load=seen", f"--server-python={server_python}"]
    with started("slo-tuner", [*serve, f"--log={folder / 'log'}"], until="models:") as (_, printed):
        grpc = re.search(r"gRPC (\S+),", printed)
        assert grpc, printed
        front = ["--host=127.0.0.1", "--port=0", f"--triton={grpc[1]}"]
        with started("tfserving-front", front, until="REST on") as (_, said):
            yield Served(grpc[1], said.split()[2], labels)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two images of noise, larger than the model's input."""
    paths = [tmp_path / f"{seed}.png" for seed in (1, 2)]
    for seed, path in enumerate(paths):
        pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


def see(*arguments: object) -> Completed:
    """Run image-client."""
    command = [str(Path(sys.executable).with_name("image-client")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_both_protocols_see_the_same(served: Served, photos: list[Path]) -> None:
    grpc = see(*photos, "--model=seen", "--protocol=grpc", f"--address={served.grpc}")
    rest = see(*photos, "--model=seen", f"--address={served.rest}", f"--labels={served.labels}")
    assert (grpc.returncode, rest.returncode) == (0, 0), grpc.stderr + rest.stderr
    # Triton's classification extension rounds scores to six digits first, so the fourth may differ by one.
    for one, other in zip(grpc.stdout.split(), rest.stdout.split(), strict=True):
        assert one == other or abs(float(one) - float(other)) < 1.5e-4
    lines = grpc.stdout.splitlines()
    assert len(lines) == 12 and (lines[0], lines[6]) == (str(photos[0]), str(photos[1]))
    for line in (*lines[1:6], *lines[7:]):
        found = re.fullmatch(r" +(\d\.\d{4}) +(\d+)  (thing \d)", line)
        assert found and found[3] == LABELS[int(found[2])]


def test_json_is_an_object_a_line_for_each_file(served: Served, photos: list[Path]) -> None:
    done = see(*photos, "--model=seen", "--protocol=grpc", f"--address={served.grpc}", "--top=2", "--json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["file"] for one in answers] == list(map(str, photos))
    for answer in answers:
        first, second = answer["predictions"]
        assert first["score"] >= second["score"] and first["label"] == LABELS[first["index"]]


def test_a_bad_file_among_good_ones_is_skipped_and_told(served: Served, photos: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8 no image")
    done = see(bad, photos[0], "--model=seen", "--top=1", f"--address={served.rest}")
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"image-client: error: FILE: {bad} cannot be decoded") and line.endswith("skipped")


@pytest.mark.parametrize("protocol", ["grpc", "json"])
def test_an_unknown_model_is_one_line(served: Served, photos: list[Path], protocol: str) -> None:
    address = served.grpc if protocol == "grpc" else served.rest
    done = see(photos[0], "--model=absent", f"--protocol={protocol}", f"--address={address}")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and line.startswith("image-client: error: model 'absent': ")
