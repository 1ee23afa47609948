"""The header of a run on a machine of known content."""

from typing import Any

from command_line.environment import Machine, Software
from slo_tuner.results.schema import RunHeader, ServerFacts

MACHINE = Machine(cpu="A CPU", cpu_cores=2, cpu_flags=("avx2",), kernel="6")


def header(**changes: Any) -> RunHeader:
    """A run on one machine; `changes` are fields of the header."""
    server = ServerFacts(name="triton", version="2.51.0", machine=MACHINE, machine_from="local")
    facts: dict[str, Any] = {
        "created": "2026-01-01T00:00:00+00:00",
        "title": "A <title>",
        "command": "slo-tuner ladder",
        "protocol": "grpc",
        "software": Software("0.1.0", "abc", "3.11", {"locust": "2"}),
        "client": MACHINE,
        "server": server,
    }
    return RunHeader(**facts | changes)
