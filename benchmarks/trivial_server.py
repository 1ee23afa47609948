"""A server that answers every inference at once and does nothing else; prints its port: `python FILE [http] [MS]`.

gRPC is served by gRPC's own package, HTTP/1.1 by a loop over sockets. With MS it answers one request at a time, each
in so many milliseconds: a server of known capacity.
"""

import selectors
import socket
import sys
import threading
import time
from concurrent import futures

import grpc
from tritonclient.grpc import service_pb2

ANSWER = service_pb2.ModelInferResponse(model_name="m", raw_output_contents=[bytes(4000)]).SerializeToString()
HTTP_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 4000\r\n\r\n" + bytes(4000)


class Handler(grpc.GenericRpcHandler):
    """Whatever is called gets the same answer, after `service_s`."""

    def __init__(self, service_s: float) -> None:
        self._service_s = service_s

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if self._service_s:
            time.sleep(self._service_s)
        return ANSWER


def serve_grpc(service_s: float) -> None:
    """Over gRPC, until killed."""
    threads = futures.ThreadPoolExecutor(1 if service_s else 4)
    server = grpc.server(threads, options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Handler(service_s),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    threading.Event().wait(600)


def serve_http(service_s: float) -> None:
    """Over HTTP, until killed: whatever comes is a head with a Content-Length and a body of so many bytes."""
    selector, left, buffer = selectors.DefaultSelector(), dict[int, int](), bytearray(1 << 20)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    selector.register(listening, selectors.EVENT_READ)
    print(listening.getsockname()[1], flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listening:
                connection, _ = listening.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ)
                left[connection.fileno()] = 0
                continue
            assert isinstance(key.fileobj, socket.socket)
            count = key.fileobj.recv_into(buffer)
            if count == 0:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                continue
            if left[key.fd] == 0:  # the load sends a head with the first bytes of its body
                end = buffer.find(b"\r\n\r\n", 0, count)
                head = bytes(buffer[:end]).lower()
                count -= end + 4
                left[key.fd] = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
            left[key.fd] -= count
            if left[key.fd] == 0:
                if service_s:
                    time.sleep(service_s)
                key.fileobj.sendall(HTTP_ANSWER)


def main() -> int:
    """Serve until killed."""
    arguments = sys.argv[1:]
    numbers = [float(argument) for argument in arguments if argument != "http"]
    serve = serve_http if "http" in arguments else serve_grpc
    serve(numbers[0] / 1000 if numbers else 0.0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
