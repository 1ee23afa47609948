"""The command `slo-tuner serve`."""

import argparse
from contextlib import closing

from command_line.arguments import port, whole
from command_line.exit_codes import ExitCode

from ..tiers.rate_limit import rate_limit_arguments
from ..triton.control import Control
from ..triton.deadlines import LOAD_S
from ..triton.find_tritonserver import find_tritonserver
from ..triton.server_process import TritonProcess, check_repository, pick_ports


def serve_command(options: argparse.Namespace) -> ExitCode:
    """Run the real tritonserver on a model repository until Ctrl-C."""
    check_repository(options.repository)
    executions = options.tier_executions
    extra = rate_limit_arguments(whole("tier-executions", executions)) if executions else ()
    asked = {name: vars(options)[f"{name}_port"] for name in ("http", "grpc", "metrics")}
    ports = pick_ports(**{name: port(f"{name}-port", text) for name, text in asked.items()})
    program = find_tritonserver(options.tritonserver, options.server_python)
    with TritonProcess(program, options.repository, ports, options.log, extra) as server:
        with closing(Control(server.grpc_address, server)) as control:
            for model in options.load:
                print(f"{model}: ready after {control.load(model, LOAD_S):.1f} s", flush=True)
            models = ", ".join(control.models())
        print(f"gRPC {server.grpc_address}, HTTP {server.http_address}, metrics {server.metrics_url}", flush=True)
        print(f"models: {models}; Ctrl-C stops the server", flush=True)
        server.wait()
        server.check()
    return ExitCode.DONE
