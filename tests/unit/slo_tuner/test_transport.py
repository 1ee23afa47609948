"""The gRPC transport against a real gRPC server that answers out of order."""

import subprocess
import sys
from collections.abc import Iterator

import gevent
import pytest

from slo_tuner.load.payload import Payload
from slo_tuner.load.transport import GrpcTransport, Target

# In a process of its own: gRPC's server can't run in threads under gevent.
SERVER = """
import time, grpc
from concurrent import futures

class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: time.sleep(float(request)) or b"done")

server = grpc.server(futures.ThreadPoolExecutor(64))
server.add_generic_rpc_handlers((Handler(),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination(60)
"""


@pytest.fixture
def server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _transport(address: str, seconds: float) -> GrpcTransport:
    return GrpcTransport(Target(address, 20.0), (Payload("m", 1, str(seconds).encode(), b"", 0),))


@pytest.mark.slow
def test_an_answer_is_noticed_while_many_requests_wait_for_theirs(server: str) -> None:
    slow, fast = _transport(server, 3.0), _transport(server, 0.0)
    waiting = [gevent.spawn(slow.send) for _ in range(32)]
    assert gevent.spawn(fast.send).get(timeout=1.5) == len(b"done")
    assert not any(call.ready() for call in waiting)
    gevent.joinall(waiting, raise_error=True)
    slow.close()
    fast.close()
