"""Reads results.json of older versions: their fields under the names that they have now."""

from typing import Any

VERSION = 2
_POINT = {"void_reason": "invalid_reason"}
_TRIAL = {"outcome": "status", "said": "message"}


def upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a results file as version 2 has it; ValueError for a version that is not known."""
    version = content.get("schema_version")
    if version == VERSION:
        return content
    if version != 1:
        raise ValueError(f"schema_version: {version!r} is not known; this slo-tuner reads 1 and {VERSION}")
    return _from_1(content)


def _from_1(old: dict[str, Any]) -> dict[str, Any]:
    objective = dict(old.get("objective", {}))
    new = {
        "schema_version": VERSION,
        "kind": next((kind for field, kind in _KINDS.items() if old.get(field)), "ladder"),
        "run": _run(old),
        "objective_source": objective.pop("chosen", ""),
        "objective": objective,
        "request_megabytes": old.get("request_megabytes", {}),
        "models": [_model(model) for model in old.get("models", ())],
        **{field: old[field] for field in ("complete", "wall_s", "cost") if field in old},
    }
    if old.get("ways"):
        sweep = dict(old["ways"])
        new["sweep"] = {**{k: v for k, v in sweep.items() if k != "ways"}, "targets": sweep.get("ways", ())}
    if old.get("tiers"):
        tiers = dict(old["tiers"])
        new["tiers"] = {**tiers, "models": [_tiered(model) for model in tiers.get("models", ())]}
    if old.get("tuning"):
        tuning = dict(old["tuning"])
        new["tuning"] = {
            **{k: v for k, v in tuning.items() if k != "way"},
            "path": tuning.get("way", ()),
            "trials": [_trial(trial) for trial in tuning.get("trials", ())],
        }
    return new


_KINDS = {"tuning": "tuning", "tiers": "tiers", "ways": "sweep"}


def _run(old: dict[str, Any]) -> dict[str, Any]:
    facts = dict(old.get("environment", {}))
    server = dict(facts.get("server", {}))
    machine = {
        "cpu": facts.get("cpu", "unknown"),
        "cpu_cores": facts.get("cpu_cores") or 1,
        "cpu_flags": facts.get("cpu_flags", ()),
        "memory_gb": facts.get("memory_gb", 0.0),
        "gpus": facts.get("gpus") or (),
        "kernel": facts.get("kernel", ""),
    }
    # Version 1 did not say where the server was: one on a repository was started on the same machine.
    local = "--repository" in str(old.get("command", ""))
    server |= {"machine": machine, "machine_from": "local"} if local else {}
    return {
        **{field: old.get(field, "") for field in ("created", "title", "command", "protocol")},
        "software": {
            "version": "",
            "revision": facts.get("git_revision", ""),
            "python": facts.get("python", ""),
            "packages": facts.get("packages", {}),
        },
        "client": machine,
        "load_workers": facts.get("load_workers", 1),
        "server": server,
    }


def _point(point: dict[str, Any]) -> dict[str, Any]:
    return {_POINT.get(name, name): value for name, value in point.items() if name != "histogram"}


def _model(model: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in model.items() if name != "met"}
    return {**kept, "points": [_point(point) for point in model.get("points", ())]}


def _trial(trial: dict[str, Any]) -> dict[str, Any]:
    kept = {_TRIAL.get(name, name): value for name, value in trial.items()}
    return {**kept, "points": [_point(point) for point in trial.get("points", ())]}


def _tiered(model: dict[str, Any]) -> dict[str, Any]:
    objective = dict(model.get("objective", {}))
    return {**model, "objective_source": objective.pop("chosen", ""), "objective": objective}
