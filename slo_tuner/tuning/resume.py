"""Which results of an earlier run a tuning goes on with: only those that new trials can stand beside."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from command_line.environment import Machine, Software
from command_line.errors import UsageError

from ..results.file import read_results
from ..results.schema import RunHeader
from .options import TuneOptions
from .record import TuningResults
from .space import Space


def read_earlier(options: TuneOptions, header: RunHeader, file: Path) -> TuningResults | None:
    """The results in `file` to go on with, None without `--resume`.

    UsageError names the first field in which their trials differ from those of a run with `header`.
    """
    if not options.resume:
        return None
    earlier = read_results(file, TuningResults)
    now = {"model": options.model, "effort": options.measure.effort_name, **_run(header)}
    then = {"model": earlier.tuning.model, "effort": earlier.tuning.effort, **_run(earlier.run)}
    if options.measure.objective is not None:
        now["objective"], then["objective"] = str(options.measure.objective), str(earlier.objective)
    _check_same(now, then, file)
    return earlier


def check_resumed_space(earlier: TuningResults | None, space: Space, file: Path) -> None:
    """UsageError where an earlier run chose from other configurations."""
    if earlier is not None:
        _check_same({"space": _words(space)}, {"space": _words(earlier.tuning.space)}, file)


def check_resumed_model(earlier: TuningResults | None, config: dict[str, object], file: Path) -> None:
    """UsageError where the model is served with another configuration than an earlier run found, or it changed."""
    if earlier is None or not earlier.models:
        return
    before = earlier.models[0].server_config
    keys = sorted({*config, *before})
    now, then = ({f"model's {key}": str(one.get(key, "")) for key in keys} for one in (config, before))
    _check_same(now, then, file)


def _check_same(now: Mapping[str, str], then: Mapping[str, str], file: Path) -> None:
    for field, new in now.items():
        old = then[field]
        if new != old:
            raise UsageError("resume", str(file), f"its {field} is {old!r}, now it is {new!r}: give another --output")


def _run(header: RunHeader) -> dict[str, str]:
    """All that a header says of how trials were measured, field by field."""
    server = header.server
    return {
        "protocol": header.protocol,
        "workers": str(header.load_workers),
        **_software(header.software),
        **_machine("client machine", header.client),
        "server": f"{server.name} {server.version}",
        "server address": server.address,
        **_machine("server machine", server.machine),
        "server machine": server.machine_name,
    }


def _software(software: Software) -> dict[str, str]:
    packages = ", ".join(f"{name} {version}" for name, version in sorted((software.packages or {}).items()))
    return {
        "slo-tuner": " ".join((software.version, software.revision)).strip(),
        "Python": software.python,
        "software": packages,
    }


def _machine(name: str, machine: Machine | None) -> dict[str, str]:
    facts = {f"{name}'s {field.name}": "" for field in fields(Machine)}
    return facts | {f"{name}'s {field.name}": str(getattr(machine, field.name)) for field in fields(Machine) if machine}


def _words(space: Space) -> str:
    return f"batches {space.batches}, instances {space.instances}, delays {space.delays_us} µs"
