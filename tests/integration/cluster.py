"""The cluster as the tests see it: kubectl, waiting with a deadline, and what to print when something fails."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")
Object = dict[str, Any]
LAST_LINES = 40
LONGEST_LINE = 400
_KUBECTL = os.environ.get("KUBECTL", "kubectl")


class CommandFailed(AssertionError):  # noqa: N818
    """kubectl or Helm did not do what it was asked; the message is the command and its error output."""


def run(command: list[str], *, stdin: str | None = None, timeout_s: float = 120) -> str:
    """What a command prints. CommandFailed when its exit status is not 0."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s)
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)[:300]}: exit status {done.returncode}\n{done.stderr}{done.stdout}")
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None, timeout_s: float = 120) -> str:
    """What kubectl prints; the cluster is the one of KUBECONFIG."""
    return run([_KUBECTL, *arguments], stdin=stdin, timeout_s=timeout_s)


def apply(namespace: str, *objects: Object) -> None:
    """Creates or changes objects."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    kubectl("-n", namespace, "apply", "-f", "-", stdin=text)


def get(namespace: str, *what: str) -> Object:
    """One object, as kind and name."""
    return dict(json.loads(kubectl("-n", namespace, "get", *what, "-o", "json")))


def items(namespace: str, kind: str, selector: str = "") -> list[Object]:
    """All objects of a kind that a label selector selects."""
    arguments = ["-n", namespace, "get", kind, "-o", "json", *(["-l", selector] if selector else [])]
    return list(json.loads(kubectl(*arguments))["items"])


def name_of(found: Object) -> str:
    """The object's name."""
    return str(found["metadata"]["name"])


def is_ready(pod: Object) -> bool:
    """Whether a Pod is ready, and not on its way out."""
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def wait_until(what: str, condition: Callable[[], Found], deadline_s: float, every_s: float = 0.5) -> Found:
    """The first true answer of `condition`; AssertionError with `what` after the deadline."""
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end, f"after {deadline_s:g} s: {what}"
        time.sleep(every_s)
    return found


def log(namespace: str, pod: str, *arguments: str) -> str:
    """A Pod's log; empty while it has none."""
    try:
        return kubectl("-n", namespace, "logs", pod, *arguments)
    except CommandFailed:
        return ""


@contextmanager
def kinds_of(one_of_them: str, files: Callable[[], Iterable[Path]]) -> Iterator[None]:
    """The kinds that `files` define while the block runs; a cluster that has `one_of_them` keeps its own."""
    if one_of_them in [name_of(one) for one in items("default", "customresourcedefinitions")]:
        yield
        return
    named = [argument for file in files() for argument in ("--filename", str(file))]
    # On the server's side: as an annotation, which the client's side makes, a definition is too long.
    kubectl("apply", "--server-side", *named)
    kubectl("wait", "--for=condition=Established", "--timeout=30s", *named)
    try:
        yield
    finally:
        kubectl("delete", *named, "--wait=false")


@contextmanager
def forwarded(namespace: str, service: str, port: int) -> Iterator[str]:
    """The address at which this machine reaches a Service's port while the block runs."""
    command = [_KUBECTL, "-n", namespace, "port-forward", f"service/{service}", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forwarding:
        try:
            assert forwarding.stdout is not None
            said = forwarding.stdout.readline()
            assert said.startswith("Forwarding from "), said
            yield f"http://{said.split()[2]}"
        finally:
            forwarding.terminate()


def diagnose(namespace: str) -> str:
    """What a person would look at first: Pods, those that are not well in detail, events, and the ends of logs."""
    parts = [_shown("-n", namespace, "get", "pods", "-o", "wide")]
    try:
        pods = items(namespace, "pods")
    except CommandFailed as error:
        return str(error)
    for pod in pods:
        name = name_of(pod)
        if not is_ready(pod) and pod["status"].get("phase") != "Succeeded":
            parts.append(_shown("-n", namespace, "describe", "pod", name))
        tail = f"--tail={LAST_LINES}"
        parts.append(_shown("-n", namespace, "logs", name, "--all-containers", "--prefix", tail))
        if any(one["restartCount"] for one in pod["status"].get("containerStatuses", [])):
            parts.append(_shown("-n", namespace, "logs", name, "--all-containers", "--previous", tail))
    parts.append(_shown("-n", namespace, "get", "events", "--sort-by=.lastTimestamp"))
    return "\n".join(parts)


def diagnose_nodes() -> str:
    """The real nodes: their conditions, what they have to give, and what happened to them, such as a full disk."""
    events = _shown("-n", "default", "get", "events", "--sort-by=.lastTimestamp")
    return "\n".join([_shown("describe", "nodes", "-l", "type!=kwok"), events])


def _shown(*arguments: str) -> str:
    try:
        lines = kubectl(*arguments).splitlines()
    except CommandFailed as error:
        return str(error)
    return "\n".join([f"$ kubectl {' '.join(arguments)}", *(line[:LONGEST_LINE] for line in lines), ""])
