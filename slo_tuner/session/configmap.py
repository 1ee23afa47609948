"""Keeps results in a ConfigMap, for a measurement that runs as a Job in the cluster."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command_line.errors import ResultsError, UsageError

# The API server refuses objects over 1 MiB; names and labels need some of it.
MOST_BYTES = 1_000_000
_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"


def check_name(name: str) -> str:
    """A name that Kubernetes takes; UsageError otherwise."""
    if not re.fullmatch(_NAME, name):
        raise UsageError("save-configmap", name, "use lower-case letters, digits, - and .")
    return name


class ConfigMapStore:
    """Writes to one ConfigMap of a namespace: the Pod's own (POD_NAMESPACE), or that of the kubeconfig's context."""

    def __init__(self, name: str) -> None:
        """Connect and check the credentials, before anything is measured; ResultsError when there are none."""
        from kubernetes import client, config

        self.name = name
        try:
            if "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config()
            else:
                config.load_kube_config()
        except config.ConfigException as error:
            raise ResultsError(f"save-configmap: no cluster to save to: {error}") from None
        self.namespace = os.environ.get("POD_NAMESPACE") or _context_namespace(config)
        self._api = client.CoreV1Api()

    def save(self, files: Mapping[str, Path]) -> None:
        """Create or replace the ConfigMap with files by their keys; ResultsError when it's too large or refused."""
        from kubernetes import client

        texts = {key: file.read_text() for key, file in files.items()}
        check_size("".join(texts.values()))
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=self.name), data=texts)
        try:
            try:
                self._api.create_namespaced_config_map(self.namespace, body)
            except client.ApiException as error:
                if error.status != 409:
                    raise
                self._api.replace_namespaced_config_map(self.name, self.namespace, body)
        except client.ApiException as error:
            raise ResultsError(f"ConfigMap {self.namespace}/{self.name} cannot be written: {error.reason}") from None


def check_size(text: str) -> None:
    """ResultsError when the results don't fit into a ConfigMap."""
    if len(text.encode()) > MOST_BYTES:
        raise ResultsError(f"results of {len(text.encode())} bytes do not fit into a ConfigMap; keep them on a volume")


def _context_namespace(config: Any) -> str:
    contexts = config.list_kube_config_contexts()
    return str(contexts[1]["context"].get("namespace", "default"))
