"""Each extra, alone in an empty environment, is enough for its command: a small real job."""

import json
import os
import urllib.request
from pathlib import Path

import pytest
from conftest import ROOT, Environment, Make, started, succeeded

COMMANDS = ("model-repo-builder", "slo-tuner", "tfserving-front", "image-client")
VARIANTS = {"original", "onnx_fp32", "onnx_int8"}


@pytest.fixture(scope="session")
def photo(environment: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image file."""
    path = tmp_path_factory.mktemp("photo") / "red.png"
    made = f"from PIL import Image; Image.new('RGB', (200, 170), (255, 0, 0)).save({str(path)!r})"
    succeeded(_python(environment("image-client"), made))
    return path


def _python(environment: Environment, code: str):  # type: ignore[no-untyped-def]
    return environment.run("python", "-c", code)


@pytest.mark.parametrize("command", COMMANDS)
def test_without_an_extra_a_command_shows_its_help_and_version(command: str, environment: Make) -> None:
    bare = environment("")
    assert command in succeeded(bare.run(command, "--help")).stdout
    assert (
        succeeded(bare.run(command, "--version")).stdout == f"{command} {bare.version('tensorflow-inference-system')}\n"
    )


@pytest.mark.parametrize(
    ("extra", "command", "arguments"),
    [
        ("builder", "model-repo-builder", ["show", "."]),
        ("tuner", "slo-tuner", ["measure", "m", "--address=127.0.0.1:1"]),
        ("front", "tfserving-front", []),
        ("image-client", "image-client", ["photo.jpg"]),
    ],
)
def test_without_an_extra_a_command_names_it(extra: str, command: str, arguments: list[str], environment: Make) -> None:
    done = environment("").run(command, *arguments)
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"the extra {extra} brings it: pip install 'tensorflow-inference-system[{extra}]'")
    assert done.returncode == 2


def test_the_builder_builds_a_repository(environment: Make, models: Path) -> None:
    shown = succeeded(environment("builder").run("model-repo-builder", "show", "--json", models))
    assert {one["variant"] for one in json.loads(shown.stdout)} == VARIANTS


@pytest.mark.parametrize(("extra", "url"), [("s3", "s3://absent/models"), ("gs", "gs://absent/models")])
def test_a_bucket_is_asked_for_only_with_its_extra(extra: str, url: str, environment: Make) -> None:
    nowhere = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
    }
    build = ("model-repo-builder", "build", ROOT / "plans/tiny.yaml", f"--output={url}", "--only=onnx_fp32")
    without = environment("builder").run(*build, **nowhere)
    assert without.returncode == 2
    assert f"pip install 'tensorflow-inference-system[{extra}]', or a directory" in without.stderr
    # There is no bucket: what says so is the client that the extra has brought.
    asked = environment(extra).run(*build, **nowhere)
    assert asked.returncode == 1, asked.stderr
    assert "allowed: a bucket that can be reached and used" in asked.stderr


def test_a_language_model_is_built_with_its_extra(environment: Make, tmp_path: Path) -> None:
    build = ("model-repo-builder", "build", ROOT / "plans/tiny-bert.yaml", f"--output={tmp_path / 'models'}", "--json")
    without = environment("builder").run(*build)
    assert without.returncode == 2
    assert without.stderr.strip().endswith("allowed: pip install 'tensorflow-inference-system[language]'")
    made = json.loads(succeeded(environment("language").run(*build)).stdout)
    assert made and all(one["action"] == "built" for one in made)


def test_the_tuner_measures_the_server_of_the_extra_server(environment: Make, triton: str, tmp_path: Path) -> None:
    one_rate = ("measure", "onnx_fp32", f"--address={triton}", "--rate=5", "--effort=smoke", "--objective=p95<=5s")
    measured = succeeded(environment("tuner").run("slo-tuner", *one_rate, f"--output={tmp_path}", "--json"))
    (model,) = json.loads(measured.stdout)["models"]
    assert model["model"] == "onnx_fp32"
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_a_tuner_without_a_server_says_how_to_get_one(environment: Make, models: Path, tmp_path: Path) -> None:
    path = os.pathsep.join(["/usr/bin", "/bin"])
    done = environment("tuner").run("slo-tuner", "ladder", f"--repository={models}", f"--output={tmp_path}", PATH=path)
    (line,) = done.stderr.splitlines()
    assert "pip install 'tensorflow-inference-system[server]'" in line and "--server-python" in line
    assert done.returncode == 1


def test_front_and_image_client_answer_a_request(environment: Make, triton: str, photo: Path) -> None:
    front = environment("front").command("tfserving-front", f"--triton={triton}", "--host=127.0.0.1", "--port=0")
    with started(front, until="REST on") as printed:
        address = printed.split()[2]
        with urllib.request.urlopen(f"http://{address}/v1/models/onnx_fp32", timeout=10) as answer:
            assert json.load(answer)["model_version_status"][0]["state"] == "AVAILABLE"
        client = environment("image-client")
        ask = ("image-client", photo, "--model=onnx_fp32", "--json")
        over_json = json.loads(succeeded(client.run(*ask, f"--address={address}")).stdout)
        over_grpc = json.loads(succeeded(client.run(*ask, "--protocol=grpc", f"--address={triton}")).stdout)
    best = [[one["index"] for one in answer["predictions"]] for answer in (over_json, over_grpc)]
    assert len(best[0]) == 5 and best[0][0] == best[1][0]


def test_the_server_serves_every_variant_of_the_builder(environment: Make, triton: str, photo: Path) -> None:
    client = environment("image-client")
    for variant in sorted(VARIANTS):
        asked = ("image-client", photo, f"--model={variant}", "--protocol=grpc", f"--address={triton}", "--json")
        assert json.loads(succeeded(client.run(*asked)).stdout)["predictions"]
