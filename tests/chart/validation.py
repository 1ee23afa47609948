"""Validates manifests as an API server would: Kubernetes' kinds, custom resources, Pod Security "restricted"."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import api_rules
import jsonschema
from kubernetes_validate import utils as kubernetes_schemas
from referencing import Registry, Resource
from render import Manifest

KUBERNETES_VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34")
CRDS = Path(__file__).parent / "crds"
# What the "restricted" profile allows; an image volume holds nothing of the node either.
RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim"}
RESTRICTED_VOLUMES |= {"projected", "secret"}


def errors(manifests: list[Manifest], kube_version: str = "1.34") -> list[str]:
    """What an API server of that version would refuse, one line each."""
    found = [f"{_title(item)}: {problem}" for item in manifests for problem in _problems(item, kube_version)]
    found += [f"{_title(item)}: {one}" for item in manifests for one in _template_problems(item, kube_version)]
    found += [f"{_title(item)}: {one}" for item in manifests for one in api_rules.problems(item, pod_spec(item))]
    seen = [(item["apiVersion"], _title(item)) for item in manifests]
    return found + [f"{title}: rendered twice" for version, title in set(seen) if seen.count((version, title)) > 1]


def restricted_violations(manifests: list[Manifest]) -> list[str]:
    """What Pod Security's "restricted" profile refuses, one line each.

    Source: the Pod Security Standards of the Kubernetes documentation; checks of container fields that these charts
    never set (ports of the host, SELinux, AppArmor, sysctls) refuse the field altogether.
    """
    found = []
    for manifest in manifests:
        pod = pod_spec(manifest)
        if pod is not None:
            found += [f"{_title(manifest)}: {problem}" for problem in _pod_violations(pod)]
    return found


def pod_spec(manifest: Manifest) -> dict[str, Any] | None:
    """The Pod in a manifest, or None when it has none."""
    if manifest["kind"] == "Pod":
        return manifest["spec"]
    if manifest["kind"] == "CronJob":
        return manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    if manifest["kind"] == "AnalysisTemplate":
        jobs = [one["provider"]["job"] for one in manifest["spec"]["metrics"] if "job" in one["provider"]]
        return jobs[0]["spec"]["template"]["spec"] if jobs else None
    if manifest["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "Rollout"):
        return manifest["spec"]["template"]["spec"]
    return None


def _template_problems(manifest: Manifest, kube_version: str) -> list[str]:
    """What is wrong with the Pod of a custom resource, whose definition leaves it open here: it is checked as a Pod."""
    pod = pod_spec(manifest)
    if pod is None or manifest["kind"] not in ("Rollout", "AnalysisTemplate"):
        return []
    return _problems({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod}, kube_version)


def _title(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def _problems(manifest: Manifest, kube_version: str) -> list[str]:
    crd = CRDS / f"{manifest['kind']}.json"
    validator = _crd_validator(crd) if crd.exists() else _kubernetes_validator(manifest, kube_version)
    problems = [f"{'.'.join(map(str, error.path))}: {error.message[:300]}" for error in validator.iter_errors(manifest)]
    name = str(manifest["metadata"]["name"])
    # A service account's name is its user's, who may have given it any length that Kubernetes takes.
    if len(name) > 63 and manifest["kind"] != "ServiceAccount":
        problems.append(f"metadata.name: {name!r} has more than 63 characters")
    for key, value in (manifest["metadata"].get("labels") or {}).items():
        if not isinstance(value, str) or len(value) > 63:
            problems.append(f"metadata.labels.{key}: {value!r} is no string of at most 63 characters")
    return problems


@functools.cache
def _crd_validator(path: Path) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


def _kubernetes_validator(manifest: Manifest, kube_version: str) -> jsonschema.Draft202012Validator:
    group_version = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", manifest["apiVersion"])
    return _named_validator(f"{manifest['kind'].lower()}-{group_version}.json", kube_version)


@functools.cache
def _named_validator(schema: str, kube_version: str) -> jsonschema.Draft202012Validator:
    # Strict: unknown fields are refused. The package's own validate() reads all definitions anew for each manifest.
    folder = f"kubernetes-json-schema/v{kube_version}.0-local-strict"
    contents = kubernetes_schemas.schema_contents(f"{folder}/{schema}", kube_version)
    return jsonschema.Draft202012Validator(contents, registry=_definitions(kube_version))


@functools.cache
def _definitions(kube_version: str) -> Registry[Any]:
    folder = f"kubernetes-json-schema/v{kube_version}.0-local-strict"
    contents = kubernetes_schemas.schema_contents(f"{folder}/_definitions.json", kube_version)
    return Resource.from_contents(contents) @ Registry()


def _pod_violations(pod: dict[str, Any]) -> list[str]:
    context = pod.get("securityContext", {})
    found = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC", "hostUsers") if pod.get(key)]
    for volume in pod.get("volumes", []):
        found += [f"volume {volume['name']} is a {kind}" for kind in set(volume) - {"name"} - RESTRICTED_VOLUMES]
    for container in pod.get("initContainers", []) + pod["containers"]:
        own = container.get("securityContext", {})
        effective = {**context, **own}
        rules = {
            "privileged": not own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": effective.get("runAsNonRoot") is True,
            "runAsUser": effective.get("runAsUser") != 0,
            "seccompProfile": effective.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
            # beyond the profile: nothing of the image can be changed
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
        }
        found += [f"container {container['name']}: {rule}" for rule, kept in rules.items() if not kept]
    return found
