"""The scripts of ci/gke: settings refused by name, dry runs that tell the truth, nothing left after a deletion."""

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cloud import MADE_BY_CHARTS, Cloud, programs
from render import ROOT

PUBLIC = {"CLIENT_RANGES": "203.0.113.0/24,198.51.100.7/32"}


class Desk:
    """Somebody with an empty project, who runs the scripts in a checkout."""

    def __init__(self, folder: Path) -> None:
        self.cloud = Cloud(folder / "cloud")
        self._environment = {
            "PATH": f"{programs(folder / 'bin')}:/usr/bin:/bin",
            "CLOUD": str(self.cloud.folder),
            "PROJECT": "some-project",
        }

    def run(self, script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(ROOT / "ci" / "gke" / f"{script}.sh"), *arguments]
        environment = self._environment | settings
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    def done(self, script: str, *arguments: str, **settings: str) -> list[str]:
        """The lines of a script that ends well."""
        finished = self.run(script, *arguments, **settings)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout.splitlines()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def command(lines: list[str], beginning: str) -> list[str]:
    """The words of the one command that begins like that."""
    (line,) = [line for line in lines if line.startswith(beginning)]
    return shlex.split(line)


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def is_question(words: list[str]) -> bool:
    """Whether a command only asks if something is there; of those, only that for the project is a step itself."""
    return words[1:3] == ["get", "namespace"] or ("describe" in words and words[1] != "projects")


def commands(lines: list[str]) -> list[list[str]]:
    """The words of each command that is no question."""
    words = [shlex.split(line) for line in lines if line.startswith(("gcloud ", "kubectl ", "helm ", "docker "))]
    return [command for command in words if not is_question(command)]


@pytest.mark.slow
@pytest.mark.parametrize("script", ["create", "images", "install", "test", "delete"])
def test_dry_run_prints_what_a_run_does_and_does_nothing(desk: Desk, script: str) -> None:
    if script in ("test", "delete"):
        desk.done("create", **PUBLIC)
    before = desk.cloud.calls()
    printed = commands(desk.done(script, "--dry-run", **PUBLIC))
    assert desk.cloud.calls() == before
    desk.done(script, **PUBLIC)
    assert commands(desk.cloud.calls()[len(before) :]) == printed


def test_cluster_spreads_over_zones_and_its_pool_of_t4s_scales_between_bounds(desk: Desk) -> None:
    chosen = {"REGION": "europe-west4", "ZONES": "europe-west4-a,europe-west4-c", "NODES_MIN": "3", "NODES_MAX": "9"}
    lines = desk.done("create", "--dry-run", **chosen)
    for beginning in ("gcloud container clusters create", "gcloud container node-pools create"):
        words = command(lines, beginning)
        assert option(words, "--region") == "europe-west4"
        assert option(words, "--node-locations") == "europe-west4-a,europe-west4-c"
        assert "--enable-autoscaling" in words
    bounds = [option(words, f"--total-{end}-nodes") for end in ("min", "max")]
    assert bounds == ["3", "9"]


@pytest.mark.parametrize(("gpus", "machine"), [("1", "n1-standard-4"), ("2", "n1-standard-8"), ("4", "n1-standard-16")])
def test_machines_have_the_chosen_number_of_t4s(desk: Desk, gpus: str, machine: str) -> None:
    words = command(desk.done("create", "--dry-run", GPUS_PER_NODE=gpus), "gcloud container node-pools create")
    assert option(words, "--machine-type") == machine
    assert option(words, "--accelerator") == f"type=nvidia-tesla-t4,count={gpus},gpu-driver-version=latest"


def test_every_gpu_of_the_machines_gets_a_pod(desk: Desk) -> None:
    words = command(desk.done("install", "--dry-run", GPUS_PER_NODE="4", NODES_MIN="1", NODES_MAX="4"), "helm upgrade")
    assert {
        "triton.scaling.minReplicas=4",
        "triton.scaling.maxReplicas=16",
        "triton.placement.onePodPerNode=false",
    } <= set(words)


def test_there_is_no_public_address_without_ranges_of_clients(desk: Desk) -> None:
    lines = [*desk.done("create", "--dry-run"), *desk.done("install", "--dry-run")]
    assert not [line for line in lines if "addresses" in line or "triton.gateway" in line]


def test_everybody_outside_of_the_ranges_is_refused(desk: Desk) -> None:
    lines = desk.done("create", "--dry-run", **PUBLIC)
    allowed = command(lines, "gcloud compute security-policies rules create")
    assert (option(allowed, "--src-ip-ranges"), option(allowed, "--action")) == (PUBLIC["CLIENT_RANGES"], "allow")
    others = command(lines, "gcloud compute security-policies rules update")
    assert (others[5], option(others, "--action")) == ("2147483647", "deny-403")


@pytest.mark.slow
def test_repeated_creation_makes_nothing_twice(desk: Desk) -> None:
    desk.done("create", **PUBLIC)
    there = desk.cloud.resources()
    assert not [line for line in desk.done("create", **PUBLIC) if " create " in line]
    assert desk.cloud.resources() == there


@pytest.mark.slow
def test_deletion_leaves_nothing(desk: Desk) -> None:
    desk.done("create", **PUBLIC)
    desk.done("install", **PUBLIC)
    assert desk.cloud.resources() > MADE_BY_CHARTS
    desk.done("delete", **PUBLIC)
    assert desk.cloud.resources() == set()


@pytest.mark.slow
def test_bucket_is_kept_by_choice(desk: Desk) -> None:
    desk.done("create")
    desk.done("delete", "--keep-bucket")
    assert desk.cloud.resources() == {("storage buckets", "gs://some-project-models")}


def test_interrupted_creation_can_be_deleted(desk: Desk) -> None:
    desk.cloud.add(("compute addresses", "inference"))
    desk.done("delete")
    assert desk.cloud.resources() == set()


def test_what_is_left_is_listed_and_ends_with_a_failure(desk: Desk) -> None:
    desk.cloud.add(("compute disks", "pvc-retained"))
    finished = desk.run("delete")
    assert finished.returncode == 1
    assert finished.stderr == "still there, and perhaps billed:\ncompute disks: pvc-retained\n"


REFUSED = [
    ({"PROJECT": ""}, "PROJECT: not given; allowed: the id of a project"),
    ({"PROJECT": "My Project"}, "PROJECT: My Project; allowed"),
    ({"REGION": "us-central1-a"}, "REGION: us-central1-a; allowed: a region"),
    ({"ZONES": "us-central1-a"}, "ZONES: us-central1-a; allowed: two zones or more"),
    ({"ZONES": "us-central1-a,us-central1-a"}, "allowed: two zones or more, each once"),
    ({"ZONES": "us-central1-a,europe-west4-a"}, "allowed: zones of us-central1"),
    ({"GPUS_PER_NODE": "3"}, "GPUS_PER_NODE: 3; allowed: 1, 2 or 4"),
    ({"NODES_MIN": "0"}, "NODES_MIN: 0; allowed: a number from 1 to 1000"),
    ({"NODES_MIN": "5"}, "NODES_MAX: 4; allowed: a number from 5 to 1000"),
    ({"NODES_MAX": "many"}, "NODES_MAX: many; allowed: a number"),
    ({"CLUSTER": "x" * 24}, "allowed: lower-case letters, digits and dashes, 23 at most"),
    ({"NAMESPACE": "a$(touch b)"}, "NAMESPACE: a$(touch b); allowed"),
    ({"BUCKET": "gs://models"}, "BUCKET: gs://models; allowed: the name of a bucket"),
    ({"MODEL": "-x"}, "MODEL: -x; allowed: a variant"),
    ({"ALIAS": "a b"}, "ALIAS: a b; allowed: the model.name of a plan"),
    ({"CLIENT_RANGES": "10.0.0.256/8"}, "CLIENT_RANGES: 10.0.0.256/8; allowed: up to ten address ranges"),
    ({"CLIENT_RANGES": "10.0.0.0"}, "CLIENT_RANGES: 10.0.0.0; allowed"),
    ({"HOST": "a.example.com", **PUBLIC}, "CERTIFICATE: not given; allowed: the name of a certificate"),
    ({"CERTIFICATE": "a", **PUBLIC}, "HOST: not given; allowed: a host name"),
    ({"HOST": "a.example.com", "CERTIFICATE": "a"}, "CLIENT_RANGES: not given; allowed: address ranges"),
]


@pytest.mark.parametrize(("settings", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_setting_is_refused_by_name_before_anything_happens(
    desk: Desk, settings: Mapping[str, str], reason: str
) -> None:
    finished = desk.run("create", **settings)
    assert finished.returncode == 2
    assert finished.stderr.startswith("settings.sh: ") and reason in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert desk.cloud.calls() == []


@pytest.mark.parametrize(
    ("script", "arguments", "reason"),
    [
        ("create", ["--dryrun"], "create.sh: unknown argument --dryrun; allowed: --dry-run"),
        ("delete", ["--keep"], "delete.sh: unknown argument --keep; allowed: --dry-run, --keep-bucket"),
        (
            "install",
            ["--triton", "absent"],
            "install.sh: values/absent.yaml does not exist; allowed: autoscale-gpu.yaml",
        ),
        ("install", ["--locust"], "install.sh: --locust lacks the name of a file of values/"),
    ],
)
def test_argument_is_refused_by_name(desk: Desk, script: str, arguments: list[str], reason: str) -> None:
    finished = desk.run(script, *arguments)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith(reason)
