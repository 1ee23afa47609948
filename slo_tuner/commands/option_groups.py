"""Groups of options that several commands of slo-tuner have."""

import argparse
from pathlib import Path

OBJECTIVE = "latency objective, such as p95<=100ms or p99<=0.5s,errors<=0.1%% (default %(default)s)"


def add_traffic(parser: argparse.ArgumentParser, required: bool) -> None:
    """The options of `load.traffic.options`; `--rate` is each command's own."""
    which = parser.add_mutually_exclusive_group(required=required)
    which.add_argument(
        "--trace",
        metavar="FILE",
        help="CSV or Parquet of times, or of times and rates; Prometheus' answer to query_range, or its URL",
    )
    which.add_argument("--traffic", metavar="KIND", help="generated: steady, daily, bursts, step or flash")
    parser.add_argument("--hours", default="24", metavar="H", help="how long generated traffic lasts (default 24)")
    parser.add_argument("--peak", metavar="TIMES", help="highest over usual rate of generated traffic")
    parser.add_argument("--time-scale", default="1", metavar="X", help="play the trace X times faster (default 1)")
    parser.add_argument("--rate-scale", default="1", metavar="X", help="multiply its rates by X (default 1)")
    parser.add_argument(
        "--gaps", default="refuse", help="missing rows of rates: refuse (default), zero, or hold the one before"
    )


def add_server_program(parser: argparse.ArgumentParser) -> None:
    """Which tritonserver is started."""
    parser.add_argument("--tritonserver", metavar="PROGRAM", help="the tritonserver program (default: on PATH)")
    parser.add_argument("--server-python", metavar="PYTHON", help="python3 of an environment with nvidia-pytriton")


def add_measurement(parser: argparse.ArgumentParser) -> None:
    """The objective, the server, its own or a running one, and the load."""
    parser.add_argument(
        "--objective",
        default="p95<=100ms",
        help=OBJECTIVE + "; `auto` takes 4 times the first model's unloaded latency",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--repository", type=Path, help="start a server of its own on this model repository")
    where.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="a running server: its gRPC port, or its HTTP port with --protocol http; `measure` takes several as one "
        "target, separated by commas, or a name that stands for several",
    )
    add_load(parser)
    add_server_program(parser)


def add_load(parser: argparse.ArgumentParser) -> None:
    """How a running server is reached, what it is sent, and where the results go."""
    parser.add_argument(
        "--protocol", help="grpc or http: how the load is sent (default: http to http:// and https://, else grpc)"
    )
    parser.add_argument(
        "--control-address",
        metavar="HOST:PORT",
        help="gRPC address of the running server for everything but the load (default: that of the load; port 8001 "
        "with http)",
    )
    parser.add_argument(
        "--server-machine",
        metavar="TEXT",
        default="",
        help="what the running server's machine is: kept with the results",
    )
    parser.add_argument(
        "--metrics-url",
        help="Triton's metrics of the running server (http://HOST:8002/metrics); of several, separated by commas",
    )
    parser.add_argument("--shape", action="append", default=[], metavar="INPUT:DIMS", help="shape of an open input")
    parser.add_argument(
        "--examples",
        type=Path,
        metavar="PATH",
        help="send these rows in turn: a file (.npz, JSONL of TensorFlow Serving instances, perf_analyzer's JSON, "
        "TFRecord of tf.Example), a directory of images, or a repository with samples; `generated`: none (default: the "
        "sample in --repository, else generated)",
    )
    parser.add_argument(
        "--effort",
        choices=("smoke", "brisk", "quick", "full"),
        default="full",
        help="how long points last: smoke only tries the way, brisk takes a minute a model on a server of thousands of "
        "requests a second, quick is for a demonstration (default %(default)s)",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        help="processes that generate the load together, for fast servers (default 1: this process does)",
    )
    parser.add_argument(
        "--workers-at",
        metavar="IP:PORT",
        help="start none of the --workers: wait until so many `slo-tuner worker HOST:PORT` have come here from other "
        "machines or Pods; *:PORT is every address of this machine",
    )
    parser.add_argument("--workers-within-s", metavar="S", help="how long to wait for them (default: 60 s)")
    parser.add_argument(
        "--timeout-s", help="time-out of one request (default: 10 times its limit or its unloaded latency, 2 s or more)"
    )
    parser.add_argument(
        "--proxy",
        action="store_true",
        help="take the environment's proxy (grpc_proxy, https_proxy, http_proxy) to any address "
        "(default: to public ones only)",
    )
    _add_access(parser)
    parser.add_argument("--output", type=Path, default=Path("slo-tuner-results"), help="folder (default %(default)s)")
    parser.add_argument("--title", default="", help="title of the report")
    parser.add_argument("--save-configmap", metavar="NAME", help="also keep results.json in this ConfigMap")
    parser.add_argument("--quiet", action="store_true", help="print only the final table")


def _add_access(parser: argparse.ArgumentParser) -> None:
    """How a server that guards itself is reached; each has an environment variable too."""
    group = parser.add_argument_group(
        "TLS and tokens", "for load, questions and metrics; SLO_TUNER_... variables of the same names do the same"
    )
    group.add_argument(
        "--tls", action="store_true", help="addresses are behind TLS, as grpcs://HOST:PORT and https://HOST:PORT say"
    )
    group.add_argument("--ca", type=Path, metavar="FILE", help="trust these CAs, in PEM (default: the system's)")
    group.add_argument("--client-certificate", type=Path, metavar="FILE", help="show this certificate, in PEM")
    group.add_argument("--client-key", type=Path, metavar="FILE", help="its key, in PEM and not encrypted")
    group.add_argument("--server-name", metavar="NAME", help="whom the server's certificate is for, if not the address")
    group.add_argument(
        "--header", action="append", default=[], metavar="NAME=VALUE", help="send this with each request (repeatable)"
    )
    group.add_argument(
        "--token-file", type=Path, metavar="FILE", help="send the bearer token in it (or set SLO_TUNER_TOKEN)"
    )
    group.add_argument(
        "--retries",
        action="store_true",
        help="follow gRPC's retry policy of docs/how-to/reliability.md (default: a request that fails has failed)",
    )
