"""A server that answers every inference at once and does nothing else; prints its port.

    python FILE [grpc | http] [MS] [--tls CERTIFICATE KEY]

gRPC is served by gRPC's own package, HTTP/1.1 by a loop over sockets, behind TLS by a thread for each connection. With
MS it answers one request at a time, each in so many milliseconds: a server of known capacity.
"""

import argparse
import selectors
import socket
import ssl
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

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


def serve_grpc(service_s: float, tls: list[str] | None) -> None:
    """Over gRPC, until killed."""
    threads = futures.ThreadPoolExecutor(1 if service_s else 4)
    server = grpc.server(threads, options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Handler(service_s),))
    if tls:
        pair = Path(tls[1]).read_bytes(), Path(tls[0]).read_bytes()
        print(server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair])), flush=True)
    else:
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


def serve_https(service_s: float, certificate: str, key: str) -> None:
    """The same over TLS, until killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    one_at_a_time = threading.Lock()
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listening.getsockname()[1], flush=True)

    def serve(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure, secure.makefile("rb") as requests:
                while head := requests.readline():
                    length = 0
                    while head not in (b"\r\n", b""):
                        name, _, value = head.partition(b":")
                        length = int(value) if name.lower() == b"content-length" else length
                        head = requests.readline()
                    requests.read(length)
                    if service_s:
                        with one_at_a_time:
                            time.sleep(service_s)
                    secure.sendall(HTTP_ANSWER)
        except OSError:
            return  # the client has gone, or does not trust this server

    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def main() -> int:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    options = parser.parse_args()
    numbers = [float(word) for word in options.words if word not in ("grpc", "http")]
    service_s = numbers[0] / 1000 if numbers else 0.0
    if "http" not in options.words:
        serve_grpc(service_s, options.tls)
    elif options.tls:
        serve_https(service_s, *options.tls)
    else:
        serve_http(service_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
