"""A server that answers at once, in a process of its own, and what the load sends to it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tritonclient.grpc import service_pb2

from slo_tuner.load.messages import Assignment
from slo_tuner.load.payload import make_payload

SERVER = Path(__file__).parents[3] / "benchmarks" / "trivial_server.py"


@contextmanager
def trivial_server(*words: str) -> Iterator[str]:
    """Where it answers; `words` are those of its command line."""
    server = subprocess.Popen([sys.executable, str(SERVER), *words], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield f"127.0.0.1:{int(server.stdout.readline())}"
    server.kill()
    server.wait()
    server.stdout.close()


def assignment(address: str, protocol: str = "grpc") -> Assignment:
    """Small images for the server at an address."""
    metadata = service_pb2.ModelMetadataResponse(name="m")
    metadata.inputs.add(name="image", datatype="UINT8", shape=[-1, 8, 8, 3])
    return Assignment(protocol, address, 2.0, (make_payload(metadata, 4, {}),))
