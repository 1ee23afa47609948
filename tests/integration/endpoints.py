"""Every endpoint of Triton's HTTP and gRPC API: which a client outside may reach, and what answers.

python3 endpoints.py MODEL NAME=HTTP_ADDRESS... -- NAME=GRPC_ADDRESS...: asks each endpoint at each address, and prints
the answers as one line of JSON, {name: {endpoint: status}}. The patterns are those of Triton's http_server.cc.
"""

import http.client
import json
import sys

import grpc
from tritonclient.grpc import service_pb2

MODEL = "/v2/models/{model}"
ALLOWED = [
    "GET /v2",
    "GET /v2/health/live",
    "GET /v2/health/ready",
    "POST /v2/repository/index",
    *(f"GET {MODEL}{version}{end}" for version in ("", "/versions/1") for end in ("", "/ready", "/config")),
    *(f"POST {MODEL}{version}/infer" for version in ("", "/versions/1")),
    *(f"POST {MODEL}/{end}" for end in ("generate", "generate_stream")),
]
REFUSED = [
    "GET /v2/models/stats",
    *(f"GET {MODEL}{version}/stats" for version in ("", "/versions/1")),
    *(f"{method} {MODEL}{version}/trace/setting" for method in ("GET", "POST") for version in ("", "/versions/1")),
    "GET /v2/trace/setting",
    "POST /v2/trace/setting",
    "GET /v2/logging",
    "POST /v2/logging",
    # Of a model that there is not: the server itself is asked, too, and would obey.
    *(f"POST /v2/repository/models/nobody/{verb}" for verb in ("load", "unload")),
    *(
        f"{method} /v2/{kind}sharedmemory{end}"
        for kind in ("system", "cuda")
        for method, end in (("GET", "/status"), ("POST", "/region/r/register"), ("POST", "/unregister"))
    ),
    # other spellings of a way in
    "GET /v2/models/{model}%2Ftrace%2Fsetting",
    "GET /v2/models/{model}/trace%2fsetting",
    "GET /v2/models/{model}//trace/setting",
    "GET /v2/models/{model}/infer/../trace/setting",
    "GET /v2/models/{model}/config/%2e%2e/trace/setting",
    "GET /v2/models/{model}/trace/setting/",
    "GET /v2/models/{model}/versions/1/config/../../../trace/setting",
    "GET //v2/trace/setting",
]
SERVICE = "inference.GRPCInferenceService"
ALLOWED_CALLS = [
    *(f"{SERVICE}/{name}" for name in ("ModelInfer", "ModelStreamInfer", "ServerLive", "ServerReady", "ModelReady")),
    *(f"{SERVICE}/{name}" for name in ("ServerMetadata", "ModelMetadata", "ModelConfig", "RepositoryIndex")),
    "grpc.health.v1.Health/Check",
]
ALL_CALLS = [f"{SERVICE}/{one.name}" for one in service_pb2.DESCRIPTOR.services_by_name[SERVICE.split(".")[1]].methods]
REFUSED_CALLS = sorted(set(ALL_CALLS) - set(ALLOWED_CALLS))
# What an address says that does not know a path, or a method.
UNKNOWN = (404, "UNIMPLEMENTED")
NO_ANSWER = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")


def ask_http(address: str, model: str) -> dict[str, int]:
    """The status of each endpoint. The path goes out as it is written."""
    found = {}
    for endpoint in ALLOWED + REFUSED:
        method, path = endpoint.format(model=model).split()
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request(method, path, b"{}" if method == "POST" else None)
        found[endpoint] = connection.getresponse().status
        connection.close()
    return found


def ask_grpc(address: str) -> dict[str, str]:
    """The status of each call with an empty message."""
    found = {}
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(30)
        for call in ALLOWED_CALLS + REFUSED_CALLS:
            found[call] = _status(channel, call)
    return found


def _status(channel: grpc.Channel, call: str, tries: int = 5) -> str:
    """What the address answers to an empty message; a busy machine that answers nothing is asked again.

    So is a stream that ends by a reset: a gateway refuses a path before the message is there, and what of both comes
    first is chance.
    """
    for number in range(tries):
        try:
            list(channel.stream_stream(f"/{call}")(iter([b""]), timeout=10))
            return "OK"
        except grpc.RpcError as error:
            status: str = error.code().name
            answered = status not in NO_ANSWER and "RST_STREAM" not in (error.details() or "")
            if answered or number == tries - 1:
                return status
    return ""


def main(model: str, addresses: list[str]) -> None:
    split = addresses.index("--")
    https = dict(one.split("=") for one in addresses[:split])
    grpcs = dict(one.split("=") for one in addresses[split + 1 :])
    found: dict[str, object] = {name: ask_http(address, model) for name, address in https.items()}
    print(json.dumps(found | {name: ask_grpc(address) for name, address in grpcs.items()}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
