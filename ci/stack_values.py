"""Checks that the values that the umbrella gives to kube-prometheus-stack exist there.

    helm pull kube-prometheus-stack --repo https://prometheus-community.github.io/helm-charts --version 88.5.3
    python ci/stack_values.py kube-prometheus-stack-88.5.3.tgz

Helm ignores a value that a chart does not know: a renamed one would silently lose its effect.
"""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
STACK = "kube-prometheus-stack"
# Charts inside the stack, whose values stand below their name.
PARTS = ("grafana", "kube-state-metrics", "prometheus-node-exporter")


def unknown(ours: dict[str, Any], theirs: dict[str, Any], above: str = "") -> list[str]:
    """Paths of our values that their defaults do not have. An empty map of theirs may hold anything."""
    found = []
    for key, value in ours.items():
        path = f"{above}{key}"
        if key not in theirs:
            found.append(path)
        elif isinstance(value, dict) and isinstance(theirs[key], dict) and theirs[key]:
            found += unknown(value, theirs[key], f"{path}.")
    return found


def defaults(archive: Path) -> dict[str, Any]:
    """The stack's default values, with those of its parts below their names."""
    with tarfile.open(archive) as tar:

        def read(name: str) -> dict[str, Any]:
            stream = tar.extractfile(name) if name in tar.getnames() else None
            return yaml.safe_load(stream) or {} if stream else {}

        values = read(f"{STACK}/values.yaml")
        for part in PARTS:
            values[part] = _merged(read(f"{STACK}/charts/{part}/values.yaml"), values.get(part, {}))
    return values


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: stack_values.py ARCHIVE", file=sys.stderr)
        return 2
    umbrella = yaml.safe_load((ROOT / "charts/inference-system/values.yaml").read_text(encoding="utf-8"))
    missing = unknown(umbrella[STACK], defaults(Path(arguments[0])))
    for path in missing:
        print(f"{STACK}.{path}: not a value of {arguments[0]}", file=sys.stderr)
    return 1 if missing else 0


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`, map by map."""
    both = {
        key: _merged(below[key], above[key]) for key in below.keys() & above.keys() if _maps(below[key], above[key])
    }
    return {**below, **above, **both}


def _maps(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
