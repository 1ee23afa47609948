"""What the builder leaves in a bucket, loaded by the real tritonserver: whole versions only, at every moment."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import http_request, python_of, started

# For each of argv[3:] publishes argv[1] into a bucket twice, the second time as another, breaks that upload before it
# writes its object of that number (0: never), and copies what the bucket then holds to a folder of that name in
# argv[2]. A process of its own: gevent is not for S3's server.
PUBLISHED = """
import os, sys
from pathlib import Path
import boto3
from moto.server import ThreadedMotoServer
from model_repo_builder.bucket import Bucket
from model_repo_builder.repository import bucket_publish, manifest

variant, target = Path(sys.argv[1]), Path(sys.argv[2])
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
os.environ |= {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.get_host_and_port()[1]}",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
made = manifest.read(variant)
other = made.model_copy(update={"config": "other", "artefact": "other"})


def break_at(place, number):
    count = 0

    def counted(write):
        def at(*arguments):
            nonlocal count
            count += 1
            if count == number:
                raise ConnectionError
            write(*arguments)

        return at

    for name in ("upload", "replace"):
        setattr(place, name, counted(getattr(place, name)))


for number in sys.argv[3:]:
    name = f"models-{number}"
    boto3.client("s3").create_bucket(Bucket=name)
    place = Bucket("--output", f"s3://{name}")
    bucket_publish.upload(place, variant, made)
    break_at(place, int(number))
    try:
        bucket_publish.upload(place, variant, other)
    except ConnectionError:
        pass
    for path in place.files():
        place.download(path, target / number / path)
server.stop()
"""


VERSIONS = {"1": "1", "2": "1", "3": "1", "4": "1", "0": "2"}


@pytest.fixture(scope="module")
def published(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository for each of VERSIONS: what the bucket held after an upload that broke there."""
    output = tmp_path_factory.mktemp("buckets")
    command = [python_of("BUILDER_PYTHON"), "-c", PUBLISHED, str(repository / "onnx_fp32"), str(output), *VERSIONS]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return output


@pytest.mark.parametrize(("breaks_at", "version"), VERSIONS.items(), ids=["first", "second", "third", "last", "whole"])
def test_a_server_that_starts_serves_the_last_whole_version(
    published: Path, server_python: str, tmp_path: Path, breaks_at: str, version: str
) -> None:
    log = tmp_path / "tritonserver.log"
    options = ["--load=onnx_fp32", f"--server-python={server_python}", f"--log={log}"]
    with started("slo-tuner", ["serve", str(published / breaks_at), *options], until="models:") as (_, printed):
        found = re.search(r"HTTP ([^\s,]+)", printed)
        assert found, printed
        answer = http_request("POST", f"http://{found[1]}/v2/repository/index")
    served = [(model["name"], model["version"], model["state"]) for model in json.loads(answer.data)]
    assert served == [("onnx_fp32", version, "READY")]
