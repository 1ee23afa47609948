"""Object storage on loopback for tests: servers that speak S3 and the protocol of Google's storage.

Not for the environment with Locust, whose gevent changes threads and TLS of the process: these servers are threads.
"""

import uuid
from collections.abc import Iterator

import boto3
import pytest
from gcp_storage_emulator.server import create_server
from moto.server import ThreadedMotoServer

LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """An S3 server on loopback."""
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(scope="session")
def gs_port() -> Iterator[int]:
    """A server of Google's storage protocol on loopback."""
    server = create_server(LOOPBACK, 0, in_memory=True, default_bucket="models")
    server.start()
    yield server._api._httpd.server_port
    server.stop()


@pytest.fixture
def s3(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place in a bucket of S3, which the environment's credentials may use."""
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{s3_port}",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="models")
    return f"s3://models/{uuid.uuid4()}"


@pytest.fixture
def gs(gs_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place in a bucket of Google's storage."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{LOOPBACK}:{gs_port}")
    return f"gs://models/{uuid.uuid4()}"


@pytest.fixture(params=["s3", "gs"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty place in a bucket of either kind."""
    return str(request.getfixturevalue(request.param))
