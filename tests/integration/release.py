"""A release of a chart in the cluster: install, upgrade, roll back, test."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tools
from cluster import Object, apply, is_ready, items, kubectl, name_of, run, wait_until

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 180
SERVER = "app.kubernetes.io/component=server"


def triton_chart() -> Path:
    """The Triton chart under test: $ATS_CHART_PATH, a directory or a package, or the one in the source."""
    return Path(os.environ.get("ATS_CHART_PATH") or ROOT / "charts" / "triton")


@dataclass(frozen=True)
class Release:
    """A release by its name, namespace and chart."""

    namespace: str
    chart: Path = field(default_factory=triton_chart)
    name: str = "triton"

    def install(self, values: Mapping[str, Any], files: Iterable[str] = (), *, wait: bool = True) -> None:
        """Installs or upgrades with values files (names below values/) and values, which win. The old values go."""
        command = ["upgrade", "--install", self.name, str(self.chart), "--reset-values"]
        for file in files:
            command += ["--values", str(ROOT / "values" / f"{file}.yaml")]
        if wait:
            command += ["--wait", f"--timeout={TIMEOUT_S}s"]
        # As JSON, in which a string that looks like a number stays one.
        self.helm(*command, "--values", "-", stdin=json.dumps(dict(values)))

    def roll_back(self, revision: int) -> None:
        """Returns to a revision and waits until its Pods are ready."""
        self.helm("rollback", self.name, str(revision), "--wait", f"--timeout={TIMEOUT_S}s")

    def test(self) -> str:
        """Runs `helm test`; its report and logs."""
        return self.helm("test", self.name, "--logs", f"--timeout={TIMEOUT_S}s")

    def helm(self, *arguments: str, stdin: str | None = None) -> str:
        """What Helm prints. CommandFailed when it fails."""
        command = [str(tools.helm()), "--namespace", self.namespace, *arguments]
        return run(command, stdin=stdin, timeout_s=TIMEOUT_S + 60)

    def pods(self) -> list[Object]:
        """The servers' Pods, those on their way out included."""
        return items(self.namespace, "pods", f"app.kubernetes.io/instance={self.name},{SERVER}")

    def ready_pods(self) -> list[str]:
        """Names of the servers' Pods that are ready and stay."""
        return sorted(name_of(pod) for pod in self.pods() if is_ready(pod))

    def settle(self, replicas: int, without: Iterable[str] = (), deadline_s: float = TIMEOUT_S) -> None:
        """Waits until there are exactly so many Pods, all ready, and none of those in `without`: drains have ended."""
        gone = set(without)

        def settled() -> bool:
            names = {name_of(pod) for pod in self.pods()}
            return len(names) == replicas and len(self.ready_pods()) == replicas and not names & gone

        wait_until(f"{replicas} servers, all ready, the old ones gone", settled, deadline_s, every_s=1)

    def scalings(self) -> list[tuple[int, int]]:
        """Every change of the number of Pods that the Deployment has seen, from and to."""
        events = [one for one in items(self.namespace, "events") if one["reason"] == "ScalingReplicaSet"]
        ordered = sorted(events, key=lambda one: one["metadata"]["creationTimestamp"])
        # A change that happens again is counted by the event of the first time.
        messages = [one["message"] for one in ordered for _ in range(one["count"])]
        found = [re.search(r"from (\d+) to (\d+)$", message) for message in messages]
        return [(int(one[1]), int(one[2])) for one in found if one]


def start_pod(
    namespace: str,
    name: str,
    image: str,
    command: list[str],
    files: Mapping[str, str],
    labels: Mapping[str, str] | None = None,
) -> None:
    """Starts a Pod that Pod Security `restricted` allows, with files in /task, and runs a command once."""
    confined = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "workingDir": "/tmp",
        "env": [{"name": "HOME", "value": "/tmp"}],
        "securityContext": confined,
        # A load generator holds a thread for each gRPC call in flight: thousands of them when a server is overrun.
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "2Gi"}},
        "volumeMounts": [{"name": "task", "mountPath": "/task"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    identity = {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": identity,
        "containers": [container],
        "volumes": [{"name": "task", "configMap": {"name": name}}, {"name": "tmp", "emptyDir": {}}],
    }
    apply(
        namespace,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(files)},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": dict(labels or {})}, "spec": spec},
    )


def wait_for_end(namespace: str, pod: str, deadline_s: float = 90) -> str:
    """The log of a Pod that ran once; AssertionError unless it succeeded."""

    def ended() -> str:
        phase = kubectl("-n", namespace, "get", "pod", pod, "-o", "jsonpath={.status.phase}")
        return phase if phase in ("Succeeded", "Failed") else ""

    phase = wait_until(f"Pod {pod} has ended", ended, deadline_s)
    output = kubectl("-n", namespace, "logs", pod)
    assert phase == "Succeeded", f"Pod {pod} failed:\n{output}"
    return output
