"""The command `image-client`: image files become requests, and the best classes of each are printed.

What does the work is imported when it runs: `--help` needs no package but the project's own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_line.arguments import check_address, digits, positive
from command_line.entry import run_command
from command_line.errors import ResultsError, UsageError
from command_line.extras import TRITON, naming_extra, need
from command_line.files import check_output, output_folder, write_whole
from command_line.options import Parser, add_common
from model_repo_builder.errors import InvalidError

if TYPE_CHECKING:
    from .served_model import Prediction, ServedModel

_EXTRA = "image-client"
_PACKAGES = ("PIL", "urllib3", *TRITON)
_DEFAULT_ADDRESS = {"json": "localhost:8888", "grpc": "localhost:8001"}
_PREFIX = "image-client: error:"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every file was answered, 1 when one was not or the server failed, 2 for wrong usage."""

    def work() -> int:
        options = _parser().parse_args(arguments)
        need(_EXTRA, *_PACKAGES)
        if not any(file.exists() for file in options.files):
            raise UsageError("FILE", str(options.files[0]), "name image files that exist")
        with naming_extra(_EXTRA):
            return _predict(options) if options.write_json is None else _write_json(options)

    return run_command("image-client", work)


def _predict(options: argparse.Namespace) -> int:
    top, size, answered = _whole("top", options.top), _size(options), 0
    with closing(_served(options)) as served:
        model = served.describe()
        for file, image in _images(options.files, None if model.is_encoded else size or model.size):
            found = served.predict(model, image, top)
            print(_json(file, found) if options.json else "\n".join([str(file), *map(_line, found)]), flush=True)
            answered += 1
    return int(answered < len(options.files))


def _write_json(options: argparse.Namespace) -> int:
    """The requests as files instead of sending them; the server is asked for the size unless that is given."""
    from .rest_model import request_body

    _check_names(options.files)
    folder = check_output(options.write_json, "write-json")
    size, written = _size(options) or _asked_size(options), 0
    with output_folder(folder, "write-json"):
        for file, image in _images(options.files, size):
            target = folder / f"{file.name}.json"
            try:
                write_whole(target, request_body(image))
            except OSError as error:
                raise ResultsError(f"{target} cannot be written: {error.strerror}") from None
            print(target)
            written += 1
    return int(written < len(options.files))


def _check_names(files: Sequence[Path]) -> None:
    """UsageError where the requests of two files would have one name: the first would be lost."""
    known: dict[str, Path] = {}
    for file in files:
        if (other := known.setdefault(file.name, file)) != file:
            raise UsageError("FILE", str(file), f"its request would replace that of {other}: give it another name")


def _asked_size(options: argparse.Namespace) -> tuple[int, int] | None:
    with closing(_served(options)) as served:
        return served.describe().size


def _images(files: Sequence[Path], size: tuple[int, int] | None) -> Iterator[tuple[Path, Any]]:
    """Each file that holds an image, as pixels uint8 [height, width, 3], or as its bytes where `size` is None.

    The others are named and left out.
    """
    from model_repo_builder.examples import image_file

    for file in files:
        try:
            image = image_file.decode(file, "FILE")
        except InvalidError as error:
            print(_PREFIX, f"{error}; skipped", file=sys.stderr, flush=True)
        else:
            yield file, file.read_bytes() if size is None else image_file.fit(image, size)


def _json(file: Path, predictions: Sequence[Prediction]) -> str:
    found = [{"score": one.score, "index": one.index, "label": one.label} for one in predictions]
    return json.dumps({"file": str(file), "predictions": found})


def _line(prediction: Prediction) -> str:
    return f"  {prediction.score:8.4f}  {prediction.index:4}  {prediction.label}".rstrip()


def _served(options: argparse.Namespace) -> ServedModel:
    address = check_address("address", options.address or _DEFAULT_ADDRESS[options.protocol])
    timeout_s = positive("timeout-s", options.timeout_s)
    if options.protocol == "json":
        from .rest_model import RestModel

        return RestModel(address, options.model, timeout_s, _labels(options.labels))
    if options.labels:
        raise UsageError("labels", str(options.labels), "over gRPC the server gives the labels; leave it out")
    from .grpc_model import GrpcModel

    return GrpcModel(address, options.model, timeout_s)


def _labels(file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ()
    try:
        return tuple(file.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        raise UsageError("labels", str(file), "name a text file with one label a line") from None


def _size(options: argparse.Namespace) -> tuple[int, int] | None:
    if options.size is None:
        return None
    height, _, width = options.size.partition("x")
    return _whole("size", height, options.size), _whole("size", width, options.size)


def _whole(field: str, text: str, given: str = "") -> int:
    number = digits(text)
    if number is None or not 0 < number <= 100_000:
        raise UsageError(field, given or text, "give whole numbers above 0, a size as HEIGHTxWIDTH")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="image-client", description="Sends images to a served model and prints the classes that it sees in them."
    )
    add_common(parser)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="image file")
    parser.add_argument("--model", default="default", help="the model's name (default %(default)s)")
    parser.add_argument(
        "--protocol",
        choices=sorted(_DEFAULT_ADDRESS),
        default="json",
        help="TensorFlow Serving's JSON (default), or binary gRPC to Triton",
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="the server (default {json} with json, {grpc} with grpc)".format(**_DEFAULT_ADDRESS),
    )
    parser.add_argument("--top", default="5", help="how many classes to print (default %(default)s)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="labels, one a line, for json; gRPC brings its own")
    parser.add_argument("--size", metavar="HEIGHTxWIDTH", help="size of the image (default: what the model asks for)")
    parser.add_argument("--write-json", type=Path, metavar="FOLDER", help="write the requests there and send nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each file")
    parser.add_argument("--timeout-s", default="30", help="seconds to wait for an answer (default %(default)s)")
    return parser
