"""A gRPC server that answers every inference at once and does nothing else; prints its port: `python FILE`."""

import sys
import threading
from concurrent import futures

import grpc
from tritonclient.grpc import service_pb2

ANSWER = service_pb2.ModelInferResponse(model_name="m", raw_output_contents=[bytes(4000)]).SerializeToString()


class Handler(grpc.GenericRpcHandler):
    """Whatever is called gets the same answer."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: ANSWER)


def main() -> int:
    """Serve until the reader of this process's output is gone, or it is killed."""
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Handler(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    threading.Event().wait(600)
    return 0


if __name__ == "__main__":
    sys.exit(main())
