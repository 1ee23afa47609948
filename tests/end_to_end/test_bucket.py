"""What the builder leaves in a bucket, loaded by the real tritonserver: whole versions only, at every moment."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import urllib3

from .conftest import python_of, started

# Publishes argv[1] into a bucket twice, the second time as another, breaks that upload before its object number
# argv[3] (0: never), and copies what the bucket then holds to argv[2]. An own process: gevent is not for S3's server.
PUBLISHED = """
import os, sys
from pathlib import Path
import boto3
from moto.server import ThreadedMotoServer
from model_repo_builder import bucket_publish, manifest
from model_repo_builder.bucket import Bucket

variant, target, breaks_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
os.environ |= {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.get_host_and_port()[1]}",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
boto3.client("s3").create_bucket(Bucket="models")
place, made = Bucket("--output", "s3://models"), manifest.read(variant)
bucket_publish.upload(place, variant, made)
put, count = place.upload, 0

def counted(source, path):
    global count
    count += 1
    if count == breaks_at:
        raise ConnectionError
    put(source, path)

place.upload = counted
try:
    bucket_publish.upload(place, variant, made.model_copy(update={"config": "other", "artefact": "other"}))
except ConnectionError:
    pass
for path in place.files():
    place.download(path, target / path)
server.stop()
"""


@pytest.mark.parametrize(
    ("breaks_at", "version"), [(1, "1"), (2, "1"), (3, "1"), (0, "2")], ids=["first", "second", "third", "whole"]
)
def test_a_server_that_starts_serves_the_last_whole_version(
    repository: Path, server_python: str, tmp_path: Path, breaks_at: int, version: str
) -> None:
    command = [python_of("BUILDER_PYTHON"), "-c", PUBLISHED, str(repository / "onnx_fp32")]
    subprocess.run([*command, str(tmp_path / "models"), str(breaks_at)], check=True, timeout=60, capture_output=True)
    log = tmp_path / "tritonserver.log"
    options = ["--load=onnx_fp32", f"--server-python={server_python}", f"--log={log}"]
    with started("slo-tuner", ["serve", str(tmp_path / "models"), *options], until="models:") as (_, printed):
        found = re.search(r"HTTP ([^\s,]+)", printed)
        assert found, printed
        answer = urllib3.request("POST", f"http://{found[1]}/v2/repository/index")
    served = [(model["name"], model["version"], model["state"]) for model in json.loads(answer.data)]
    assert served == [("onnx_fp32", version, "READY")]
