"""Object storage on loopback for tests: servers that speak S3 and the protocol of Google's storage.

Not for the environment with Locust, whose gevent changes threads and TLS of the process: these servers are threads.
"""

import uuid
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import boto3
import pytest
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects
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
    """A server of Google's storage protocol on loopback, with the preconditions that the emulator ignores."""
    with pytest.MonkeyPatch.context() as patch:
        for insert in ("_media_upload", "_multipart_upload"):
            patch.setattr(objects, insert, _with_precondition(getattr(objects, insert)))
        server = create_server(LOOPBACK, 0, in_memory=True, default_bucket="models")
        server.start()
        yield server._api._httpd.server_port
        server.stop()


def _with_precondition(insert: Callable[..., None]) -> Callable[..., None]:
    """objects.insert as Google documents it: with ifGenerationMatch of another generation (0: no object) it is 412.

    The server answers one request at a time, so nothing comes between the comparison and the insertion.
    """

    def checked(request: Any, response: Any, storage: Any) -> None:
        wanted = request.query.get("ifGenerationMatch")
        name = request.query["name"][0] if "name" in request.query else request.data["meta"]["name"]
        try:
            generation = storage.get_file_obj(request.params["bucket_name"], name)["generation"]
        except NotFound:
            generation = "0"
        if wanted is not None and wanted[0] != generation:
            response.status = HTTPStatus.PRECONDITION_FAILED
            response.json({"error": {"code": 412, "message": "conditionNotMet"}})
            return
        insert(request, response, storage)

    return checked


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
