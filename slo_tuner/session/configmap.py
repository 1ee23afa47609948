"""Keeps results in a ConfigMap, for a measurement that runs as a Job in the cluster."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command_line.errors import ResultsError, UsageError

# The API server refuses objects over 1 MiB; names and labels need some of it.
MOST_BYTES = 1_000_000
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME, _LONGEST_NAME = rf"{_LABEL}(\.{_LABEL})*", 253
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_ANSWER_S = 30.0


def check_name(name: str) -> str:
    """A name that Kubernetes takes; UsageError otherwise."""
    if not re.fullmatch(_NAME, name) or len(name) > _LONGEST_NAME:
        allowed = f"use lower-case letters, digits and - between dots, no - beside a dot, {_LONGEST_NAME} at most"
        raise UsageError("save-configmap", name, allowed)
    return name


class ConfigMapStore:
    """Writes to one ConfigMap of a namespace: the Pod's own, or that of the kubeconfig's context."""

    def __init__(self, name: str) -> None:
        """Connect and check the credentials, before anything is measured; ResultsError when there are none."""
        from kubernetes import client

        self.name = name
        self.namespace = _connected()
        self._api = client.CoreV1Api()

    def save(self, files: Mapping[str, Path]) -> None:
        """Create or replace the ConfigMap with files by their keys; ResultsError when it's too large or refused."""
        from kubernetes import client
        from urllib3.exceptions import HTTPError

        texts = {key: file.read_text(encoding="utf-8") for key, file in files.items()}
        check_size("".join(texts.values()))
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=self.name), data=texts)
        try:
            try:
                self._api.create_namespaced_config_map(self.namespace, body, _request_timeout=_ANSWER_S)
            except client.ApiException as error:
                if error.status != 409:
                    raise
                self._api.replace_namespaced_config_map(self.name, self.namespace, body, _request_timeout=_ANSWER_S)
        except client.ApiException as error:
            raise ResultsError(
                f"ConfigMap {self.namespace}/{self.name} cannot be written: {error.status} {error.reason}"
            ) from None
        except HTTPError as error:
            # Its reason begins with the object that failed.
            reason = str(getattr(error, "reason", None) or error).rpartition(">: ")[2]
            raise ResultsError(
                f"ConfigMap {self.namespace}/{self.name} cannot be written: the cluster does not answer: {reason}"
            ) from None


def check_size(text: str) -> None:
    """ResultsError when the results don't fit into a ConfigMap."""
    if len(text.encode()) > MOST_BYTES:
        raise ResultsError(f"results of {len(text.encode())} bytes do not fit into a ConfigMap; keep them on a volume")


def _connected() -> str:
    """Set the client of the cluster up; the namespace to write to. ResultsError in one line when that can't be done."""
    from kubernetes import client, config

    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            # The client takes http_proxy, and ignores no_proxy: the API server is an address of the cluster.
            inside = client.Configuration()
            config.load_incluster_config(client_configuration=inside)
            inside.proxy = None
            client.Configuration.set_default(inside)
            return own_namespace()
        file = os.environ.get("KUBECONFIG") or "~/.kube/config"
        config.load_kube_config(file)
        _, active = config.list_kube_config_contexts(file)
    except config.ConfigException as error:
        raise ResultsError(f"save-configmap: no cluster to save to: {' '.join(str(error).split())}") from None
    except ResultsError:
        raise
    except Exception as error:
        # The client checks little of what it reads: a broken kubeconfig is a KeyError, a TypeError or YAML's.
        said = " ".join(str(error).split())
        raise ResultsError(f"save-configmap: the kubeconfig cannot be used: {type(error).__name__}: {said}") from None
    return os.environ.get("POD_NAMESPACE") or _context_namespace(active)


def own_namespace(file: Path = _OWN_NAMESPACE) -> str:
    """The namespace of the Pod that this runs in; ResultsError where nothing says it."""
    if namespace := os.environ.get("POD_NAMESPACE"):
        return namespace
    try:
        return file.read_text().strip()
    except OSError:
        raise ResultsError(
            f"save-configmap: POD_NAMESPACE is not set, and {file} does not say the Pod's namespace"
        ) from None


def _context_namespace(context: Any) -> str:
    return str(context["context"].get("namespace") or "default")
