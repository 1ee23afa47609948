"""Places a fleet of fake GPU Pods on a cluster of fake nodes (KWOK), loses a zone, and rolls all Pods out.

python ci/fleet_scale.py --nodes 1000 --pods 600 --output figures.json

It needs the cluster of KUBECONFIG with KWOK's controller, which manages nodes with the label type=kwok, and helm. The
scheduler, the controllers and the chart are real; nodes and containers are not. All that it makes is in one namespace,
or has the label fleet-scale=node, and is removed in the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import tools

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE, NODES = "fleet-scale", "fleet-scale=node"
ZONE, ZONES = "topology.kubernetes.io/zone", ("a", "b", "c")
VALUES: dict[str, Any] = {
    "modelRepository": {"url": "gs://bucket/models", "models": ["tftrt_int8"]},
    "placement": {"tolerations": [{"operator": "Exists"}], "nodeSelector": {"fleet-scale": "node"}},
    "rollout": {"mode": "surge"},
}
TIMEOUT_S = 600.0


def kubectl(*arguments: str, given: str | None = None) -> str:
    """What kubectl prints; an error ends the program with its message."""
    done = subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"kubectl {' '.join(arguments[:4])}: {done.stderr.strip()[:400]}")
    return done.stdout


def zone_name(letter: str) -> str:
    """The zone of this letter."""
    return f"us-central1-{letter}"


def node(number: int, zone: str) -> dict[str, Any]:
    """A fake node with one GPU."""
    resources = {"cpu": "16", "memory": "60Gi", "pods": "110", "nvidia.com/gpu": "1"}
    labels = {
        "type": "kwok",
        "fleet-scale": "node",
        "kubernetes.io/hostname": f"fleet-{number}",
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "cloud.google.com/gke-accelerator": "nvidia-tesla-t4",
        ZONE: zone_name(zone),
        "topology.kubernetes.io/region": "us-central1",
    }
    annotations = {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"fleet-{number}", "labels": labels, "annotations": annotations},
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": resources, "capacity": resources},
    }


def create_nodes(numbers: list[int]) -> None:
    """Nodes by their numbers, a third in each zone; ready when it returns."""
    for first in range(0, len(numbers), 250):
        some = [node(number, ZONES[number % 3]) for number in numbers[first : first + 250]]
        kubectl("create", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": some}))
    # `kubectl wait` asks for one node after the other, five a second.
    made = {f"fleet-{number}" for number in numbers}

    def all_ready() -> bool:
        return made <= {one["metadata"]["name"] for one in _items("get", "nodes", "-l", NODES) if ready(one)}

    until(all_ready, f"{len(numbers)} nodes are ready")


def delete_nodes(selector: str) -> None:
    """Delete the nodes with these labels in one request: `kubectl delete node` makes five a second."""
    kubectl("delete", "--raw", f"/api/v1/nodes?labelSelector={quote(selector)}")


def pods() -> list[dict[str, Any]]:
    """The servers that are not on their way out."""
    return [pod for pod in _items("-n", NAMESPACE, "get", "pods") if "deletionTimestamp" not in pod["metadata"]]


def _items(*arguments: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(kubectl(*arguments, "-o", "json"))["items"]
    return items


def ready(one: dict[str, Any]) -> bool:
    """Whether a Pod serves or a node takes Pods, as far as a fake one does."""
    conditions = one["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def spread(zones: dict[str, str]) -> dict[str, Any]:
    """Pods by zone, the fullest zone over the mean, and the most Pods of a node."""
    placed = [pod["spec"]["nodeName"] for pod in pods() if ready(pod)]
    by_zone = Counter(zones[name] for name in placed)
    mean = sum(by_zone.values()) / max(len(by_zone), 1)
    return {
        "pods": dict(sorted(by_zone.items())),
        "fullest_over_mean": round(max(by_zone.values()) / mean, 3),
        "most_on_a_node": max(Counter(placed).values()),
    }


def until(condition: Callable[[], bool], what: str) -> float:
    """The seconds until a condition holds."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > TIMEOUT_S:
            sys.exit(f"not within {TIMEOUT_S:.0f} s: {what}")
        time.sleep(1.0)
    return round(time.monotonic() - started, 1)


def objects() -> dict[str, int]:
    """How many objects the namespace has of the kinds that may grow."""
    kinds = ("events", "replicasets", "endpointslices", "pods")
    return {kind: kubectl("-n", NAMESPACE, "get", kind, "-o", "name").count("\n") for kind in kinds}


def say(figures: dict[str, Any]) -> None:
    """What is known so far: a later part may not end."""
    print(json.dumps(figures), file=sys.stderr, flush=True)


@contextmanager
def clean() -> Iterator[None]:
    """Nothing of an earlier run before, and nothing of this one afterwards."""

    def remove() -> None:
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", "--timeout=180s")
        delete_nodes(NODES)

    remove()
    try:
        yield
    finally:
        remove()


def measure(count: int, servers: int) -> dict[str, Any]:
    """The figures of one run."""
    figures: dict[str, Any] = {"nodes": count, "pods": servers}
    create_nodes(list(range(count)))
    zones = {f"fleet-{number}": ZONES[number % 3] for number in range(count)}
    kubectl("create", "namespace", NAMESPACE)
    values = VALUES | {"scaling": {"mode": "fixed", "replicas": servers}}
    command = [str(tools.helm()), "template", "fleet", str(ROOT / "charts" / "triton"), "--namespace", NAMESPACE]
    command += ["--no-hooks", "--values", str(ROOT / "values" / "gke-t4.yaml"), "--values", "-"]
    rendered = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=True).stdout
    kubectl("-n", NAMESPACE, "apply", "-f", "-", given=rendered)

    def all_ready() -> bool:
        return sum(map(ready, pods())) == servers

    figures["placed_s"] = until(all_ready, f"{servers} Pods are ready")
    figures["placed"] = spread(zones)
    figures["objects_placed"] = objects()
    say(figures)
    lost = [number for number in range(count) if ZONES[number % 3] == "c"]
    gone = {f"fleet-{number}" for number in lost}
    started = time.monotonic()
    delete_nodes(f"{NODES},{ZONE}={zone_name('c')}")
    figures["zone_lost_deleted_s"] = round(time.monotonic() - started, 1)
    until(lambda: not gone & {str(pod["spec"].get("nodeName")) for pod in pods()}, "the lost zone's Pods are gone")
    figures["zone_lost_noticed_s"] = round(time.monotonic() - started, 1)
    until(all_ready, "the lost zone's Pods are ready elsewhere")
    figures["zone_lost_ready_again_s"] = round(time.monotonic() - started, 1)
    figures["zone_lost"] = spread(zones)
    say(figures)
    create_nodes(lost)
    before = {pod["metadata"]["uid"] for pod in pods()}
    kubectl("-n", NAMESPACE, "rollout", "restart", "deployment/fleet-triton")
    figures["rollout_s"] = until(
        lambda: all_ready() and not before & {pod["metadata"]["uid"] for pod in pods()}, "all Pods are new"
    )
    figures["rolled_out"] = spread(zones)
    figures["objects"] = objects()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=600)
    parser.add_argument("--output", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    with clean():
        figures = measure(options.nodes, options.pods)
    text = json.dumps(figures, indent=1)
    if options.output is not None:
        options.output.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
