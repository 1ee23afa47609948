"""A cloud that only remembers: gcloud, kubectl, helm and docker as programs, for the scripts of ci/gke.

    python cloud.py PROGRAM ARGUMENT...

What exists is a file of $CLOUD/there, called after its kind and name; each call is a line of $CLOUD/calls. What charts
make exists until its namespace is deleted, which needs the cluster, as on GKE. An installation of the umbrella is
rendered to $CLOUD/N.yaml by $HELM where $CHART is given.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from urllib.parse import quote, unquote

VERBS = ("create", "describe", "delete", "list")
# What controllers of Kubernetes make for the charts, and only they delete.
MADE_BY_CHARTS = {("compute disks", "pvc-1"), ("compute forwarding-rules", "gkegw1-abcd-inference-system-triton-efgh")}
# What goes with something else.
PARTS = {
    "container clusters": {"container node-pools", "namespaces"},
    "compute security-policies": {"compute security-policies rules"},
}
Resource = tuple[str, str]


class Cloud:
    """The folder that remembers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.there = folder / "there"
        self.there.mkdir(parents=True, exist_ok=True)

    def calls(self) -> list[str]:
        """Every command that was run, as a shell would take it."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def resources(self) -> set[Resource]:
        """Everything that exists, as kind and name."""
        names = [unquote(path.name).split("|") for path in self.there.iterdir()]
        return {(kind, name) for kind, name in names}

    def add(self, resource: Resource) -> None:
        (self.there / quote("|".join(resource), safe="")).touch()

    def remove(self, resource: Resource) -> None:
        (self.there / quote("|".join(resource), safe="")).unlink()

    def gcloud(self, arguments: list[str]) -> int:
        if arguments[:3] == ["storage", "rm", "--recursive"]:
            self.remove(("storage buckets", arguments[3]))
        verb = next((word for word in arguments if word in VERBS), None)
        if verb is None:
            return 0
        kind, _, rest = (" ".join(arguments)).partition(f" {verb} ")
        if verb == "list":
            wanted = arguments[arguments.index("--filter") + 1]
            print("\n".join(name for other, name in self.resources() if other == kind and _selects(wanted, name)))
            return 0
        name = rest.split()[0]
        if kind == "iam service-accounts" and "@" not in name:
            name += f"@{os.environ['CLOUDSDK_CORE_PROJECT']}.iam.gserviceaccount.com"
        exists = (kind, name) in self.resources() or kind == "projects"
        if verb == "create" and not exists:
            self.add((kind, name))
        elif verb == "delete" and exists:
            for resource in {(kind, name)} | {other for other in self.resources() if other[0] in PARTS.get(kind, ())}:
                self.remove(resource)
        return int(exists == (verb == "create"))

    def kubectl(self, arguments: list[str]) -> int:
        has_cluster = any(kind == "container clusters" for kind, _ in self.resources())
        if arguments[:2] == ["create", "namespace"]:
            self.add(("namespaces", arguments[2]))
        if arguments[:2] == ["get", "namespace"]:
            return int(("namespaces", arguments[2]) not in self.resources())
        if arguments[:2] == ["delete", "namespace"] and has_cluster:
            for resource in MADE_BY_CHARTS & self.resources():
                self.remove(resource)
        return int(not has_cluster)

    def helm(self, arguments: list[str]) -> int:
        if arguments[:3] != ["upgrade", "--install", "system"]:
            return 0
        for resource in MADE_BY_CHARTS:
            self.add(resource)
        if "CHART" not in os.environ:
            return 0
        # what `helm template` does not take, with its value
        options = [word for word in arguments[4:] if word not in ("--wait", "--timeout", "30m")]
        number = len(list(self.folder.glob("*.yaml"))) + 1
        command = [os.environ["HELM"], "template", "system", os.environ["CHART"], "--kube-version", "1.34.0", *options]
        import subprocess  # here, as most calls are short and need none

        with (self.folder / f"{number}.yaml").open("w") as file:
            return subprocess.run(command, stdout=file, check=False).returncode


def _selects(wanted: str, name: str) -> bool:
    """Whether a filter of gcloud selects a resource, going by its name: its labels are those asked for."""
    for term in wanted.split(" OR "):
        key, operator, value = re.split("([=~])", term.split(" AND ")[0], maxsplit=1)
        if key != "name" or (name == value if operator == "=" else re.search(value, name)):
            return True
    return False


def programs(folder: Path) -> Path:
    """A directory for PATH with the four programs, whose cloud is $CLOUD."""
    folder.mkdir()
    for name in ("gcloud", "kubectl", "helm", "docker"):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S -E {shlex.quote(__file__)} {name} "$@"\n')
        program.chmod(0o755)
    return folder


def main(program: str, arguments: list[str]) -> int:
    cloud = Cloud(Path(os.environ["CLOUD"]))
    with (cloud.folder / "calls").open("a") as file:
        file.write(shlex.join([program, *arguments]) + "\n")
    handlers = {"gcloud": cloud.gcloud, "kubectl": cloud.kubectl, "helm": cloud.helm}
    return handlers[program](arguments) if program in handlers else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
