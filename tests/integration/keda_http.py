"""KEDA's HTTP add-on in the cluster, by its own manifests, and what its clients and its scaled Deployment see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster import items, kubectl, log, name_of, wait_until
from release import start_pod, wait_for_end
from steady import Load
from tools import HTTP_ADDON_PROGRAMS

HERE = Path(__file__).parent
NAMESPACE = "keda"
_DIRECT = "KEDA_HTTP_DIRECT_POD_ROUTING"
PROXY = f"keda-add-ons-http-interceptor-proxy.{NAMESPACE}.svc.cluster.local:8080"
_FILES = {name: (HERE / name).read_text() for name in ("held.py", "independent.py")}


@contextmanager
def http_addon(checkout: Path, image: str) -> Iterator[None]:
    """The add-on, of the manifests of its source, in the namespace `keda` while the block runs.

    A cluster that has it keeps its own.
    """
    if "interceptorroutes.http.keda.sh" in [name_of(one) for one in items("default", "customresourcedefinitions")]:
        yield
        return
    manifests = _manifests(checkout, image)
    try:
        kubectl("apply", "--server-side", "--filename", "-", stdin=manifests)
        for name in HTTP_ADDON_PROGRAMS:
            status = ["rollout", "status", f"deployment/keda-add-ons-http-{name}", "--timeout=90s"]
            kubectl("-n", NAMESPACE, *status)
        yield
    finally:
        kubectl("delete", "--filename", "-", "--wait=false", "--ignore-not-found", stdin=manifests)


def _manifests(checkout: Path, image: str) -> str:
    """What `kustomize build config/default` makes, where each program is of the image and not yet to be built."""
    text = kubectl("kustomize", str(checkout / "config" / "default"))
    found, count = re.subn(r"^( *)image: ko://\S+/(\w+)$", rf'\1image: {image}\n\1command: ["\2"]', text, flags=re.M)
    assert count == len(HTTP_ADDON_PROGRAMS), f"{checkout}: {count} images in config/default"
    # Without, a connection to the Service can reach the Pod that stops, after the new one is ready. 0.15 ignores it.
    direct = f'- name: {_DIRECT}\n          value: "true"\n        '
    return found.replace("- name: KEDA_HTTP_PROXY_PORT", f"{direct}- name: KEDA_HTTP_PROXY_PORT")


def ask_held(namespace: str, image: str, protocol: str, host: str, model: str) -> dict[str, Any]:
    """One answer through the interceptor: `output`, and how long the request waited, `held_s` (seconds)."""
    pod = f"held-{protocol}"
    start_pod(namespace, pod, image, ["python3", "/task/held.py", "one", protocol, PROXY, host, model], _FILES)
    return dict(json.loads(wait_for_end(namespace, pod, 240).splitlines()[-1]))


@contextmanager
def held_stream(pod: tuple[str, str, str], hosts: dict[str, str], model: str, rate_per_s: float) -> Iterator[Load]:
    """Requests at random times over each protocol (`hosts` by protocol) while the block runs.

    `pod` is the namespace, the name and the image of the Pod that sends them.
    """
    namespace, name, image = pod
    named = [f"{protocol}={host}" for protocol, host in hosts.items()]
    command = ["python3", "/task/held.py", "many", PROXY, model, str(rate_per_s), *named]
    start_pod(namespace, name, image, command, _FILES)
    wait_until("the stream has begun", lambda: "begun" in log(namespace, name), 240)
    stream = Load()
    try:
        yield stream
    finally:
        kubectl("-n", namespace, "exec", name, "--", "bash", "-c", "kill -TERM 1")
    stream.report = json.loads(wait_for_end(namespace, name, 240).splitlines()[-1])
