"""Wrong use of image-client is one line that names it; files become requests of the published form."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from command_line.errors import ModelError
from image_client.cli import main
from image_client.served_model import TensorInfo, image_model
from model_repo_builder.examples.image_file import ALLOWED

SCORES = TensorInfo("probabilities", "FP32", (-1, 10))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A red image of 40 x 20 pixels."""
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 20), (255, 0, 0)).save(path)
    return path


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_an_image_becomes_a_json_request_without_a_server(photo: Path, tmp_path: Path) -> None:
    assert main([str(photo), "--size=4x6", f"--write-json={tmp_path / 'out'}"]) == 0
    request = json.loads((tmp_path / "out" / "red.png.json").read_text())
    pixels = np.array(request["instances"])
    assert pixels.shape == (1, 4, 6, 3) and (pixels == [255, 0, 0]).all()


def test_a_bad_file_is_named_and_the_others_are_done(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_text("no image")
    files = [str(tmp_path / "bad.png"), str(tmp_path / "absent.png"), str(photo)]
    assert main([*files, "--size=4x6", f"--write-json={tmp_path / 'out'}"]) == 1
    for line, file, reason in zip(
        _lines(capsys), files, ["no known image format", "No such file or directory"], strict=False
    ):
        assert line == f"image-client: error: FILE: {file} cannot be decoded ({reason}); allowed: {ALLOWED}; skipped"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["red.png.json"]


def test_files_of_which_there_is_none_are_named_before_a_server_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = str(tmp_path / "absent.png")
    assert main([absent, "--address=localhost:1"]) == 2
    assert _lines(capsys) == [f"image-client: error: FILE: {absent!r} is not allowed; name image files that exist"]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--address=localhost"], "address: 'localhost'"),
        (["--top=0"], "top: '0'"),
        (["--top=many"], "top: 'many'"),
        (["--size=4"], "size: '4'"),
        (["--timeout-s=0"], "timeout-s: '0'"),
        (["--labels=absent.txt"], "labels: 'absent.txt'"),
        (["--protocol=grpc", "--labels=labels.txt"], "labels: 'labels.txt'"),
    ],
)
def test_a_wrong_option_is_named(
    arguments: list[str], field: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write = [f"--write-json={tmp_path}"] if "size" in field else ["--address=127.0.0.1:1"]
    assert main([str(photo), *write, *arguments]) == 2
    (line,) = _lines(capsys)
    assert line.startswith(f"image-client: error: {field} is not allowed; ")


@pytest.mark.parametrize("protocol", ["json", "grpc"])
def test_a_server_that_is_not_there_is_one_line(protocol: str, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(photo), f"--protocol={protocol}", "--address=127.0.0.1:1", "--timeout-s=5"]) == 1
    (line,) = _lines(capsys)
    assert line.startswith("image-client: error: no ") and "127.0.0.1:1" in line


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [TensorInfo("x", "FP32", (-1, 5))],
        [TensorInfo("x", "FP32", (-1, -1, -1, 3))],
        [TensorInfo("x", "FP32", (-1, 3, 8, 8))],
        [TensorInfo(name, "FP32", (-1, 8, 8, 3)) for name in "xy"],
    ],
)
def test_a_model_that_takes_no_image_is_refused(inputs: list[TensorInfo]) -> None:
    with pytest.raises(ModelError, match="not one batch of images"):
        image_model("m", inputs, [SCORES])


def test_a_model_of_several_outputs_is_refused() -> None:
    with pytest.raises(ModelError, match="not one tensor of scores"):
        image_model("m", [TensorInfo("x", "FP32", (-1, 8, 8, 3))], [SCORES, SCORES])


def test_requests_of_one_name_are_refused_before_one_is_lost(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more").mkdir()
    other = photo.rename(tmp_path / "more" / photo.name)
    Image.new("RGB", (1, 1)).save(photo)
    assert main([str(photo), str(other), "--size=4x6", f"--write-json={tmp_path / 'out'}"]) == 2
    assert f"its request would replace that of {photo}" in _lines(capsys)[0]
    assert not (tmp_path / "out").exists()


def _metadata(**more: Any) -> dict[str, Any]:
    def tensor(*sizes: int) -> dict[str, Any]:
        return {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": str(size)} for size in sizes]}}

    signature = {"inputs": {"image": tensor(-1, 2, 2, 3)}, "outputs": {"scores": tensor(-1, 3)}, **more}
    return {"metadata": {"signature_def": {"signature_def": {"serving_default": signature}}}}


@contextmanager
def _server(metadata: Any, answer: Any, status: int = 200, paths: list[str] | None = None) -> Iterator[str]:
    """The address of an HTTP server that gives two documents, whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def reply(self, document: Any, status: int) -> None:
            if paths is not None:
                paths.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.reply(metadata, 200)

        def do_POST(self) -> None:
            self.reply(answer, status)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("metadata", "answer", "missing"),
    [
        *((document, {}, "metadata with a signature") for document in ({}, [], None, "a", {"metadata": {}})),
        ({"metadata": {"signature_def": {"signature_def": {}}}}, {}, "metadata with a signature"),
        (_metadata(inputs=[]), {}, "metadata with a signature"),
        *((_metadata(), document, "predictions of numbers") for document in ({}, [1], {"predictions": []}, None)),
        *((_metadata(), {"predictions": [row]}, "predictions of numbers") for row in ("a", [1, [2]], {"a": 1})),
    ],
)
def test_what_is_no_tensorflow_serving_is_one_line(
    metadata: Any, answer: Any, missing: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _server(metadata, answer) as address:
        assert main([str(photo), f"--address={address}"]) == 1
    assert _lines(capsys) == [
        f"image-client: error: what answers at {address} is no TensorFlow Serving: it gives no {missing}"
    ]


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [(400, [1], "400: [1]"), (302, {}, "302: {}"), (500, {"error": "two\nlines"}, "500: two lines")],
)
def test_a_failure_is_one_line_and_a_redirection_is_none_to_follow(
    status: int, answer: Any, said: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _server(_metadata(), answer, status) as address:
        assert main([str(photo), f"--address={address}"]) == 1
    assert _lines(capsys) == [f"image-client: error: model 'default': {said}"]


def test_a_model_of_unknown_rank_is_refused(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = {"image": {"dtype": "DT_FLOAT", "tensor_shape": {"unknown_rank": True}}}
    with _server(_metadata(inputs=unknown), {}) as address:
        assert main([str(photo), f"--address={address}"]) == 1
    assert _lines(capsys)[0].startswith("image-client: error: model 'default' takes image [], not one batch of images")


def test_a_model_s_name_is_one_part_of_the_path(photo: Path) -> None:
    paths: list[str] = []
    with _server(_metadata(), {"predictions": [[1, 2, 3]]}, paths=paths) as address:
        assert main([str(photo), f"--address={address}", "--model=a/b?c#d"]) == 0
    assert paths == ["/v1/models/a%2Fb%3Fc%23d/metadata", "/v1/models/a%2Fb%3Fc%23d:predict"]
