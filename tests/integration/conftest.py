"""What the tests on a cluster share: images that are loaded, a namespace for each module, and a diagnosis of failures.

The cluster is that of pytest-helm-charts: its option --kubeconfig, or KUBECONFIG. They need kubectl and the images of
`python ci/build_images.py`, and these variables:
IMAGE_LOAD      the command that makes local images usable in the cluster, default `kind load docker-image`
IMAGE_BUILD     the command that builds images, default `docker build`; IMAGE_BUILD_ARGS are its further arguments
BUILDER_PYTHON  the interpreter of the model builder's environment
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_helm_charts.clusters import Cluster
from pytest_helm_charts.k8s.namespace import ensure_namespace_exists

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "ci"), str(ROOT / "tests" / "chart")]

import build_images  # noqa: E402
import local_images  # noqa: E402
import tools  # noqa: E402
from cluster import CommandFailed, diagnose, diagnose_nodes, kubectl, wait_until  # noqa: E402
from records import Records  # noqa: E402

# Elsewhere it is switched off (pyproject.toml), as it imports ssl before Locust has replaced it.
pytest_plugins = ["pytest_helm_charts.plugin"]
RUN_LABEL = "inference-system-test"
# A letter first: YAML takes 357040e1 for a number.
RUN = f"r{secrets.token_hex(4)}"
# Those that the tests have now: a failure shows what is in them.
NAMESPACES: list[str] = []


@pytest.fixture(scope="session")
def builder_python() -> str:
    """The interpreter of the model builder's environment."""
    python = os.environ.get("BUILDER_PYTHON")
    assert python, "BUILDER_PYTHON is not set: run these tests by `nox -s integration`"
    return python


@pytest.fixture(scope="session")
def models(builder_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model repository of plans/tiny.yaml, built here."""
    output = tmp_path_factory.mktemp("built") / "models"
    command = [Path(builder_python).with_name("model-repo-builder"), "build", ROOT / "plans/tiny.yaml"]
    only = ["--only", "onnx_fp32,onnx_int8", "--quiet"]
    done = subprocess.run([*command, "--output", output, *only], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="session")
def images(models: Path) -> dict[str, str]:
    """Full names of the product's images and of `repository`, by name; all of them are in the cluster."""
    # A name of its own for each run: a cluster does not fetch a name that it has already.
    named = {name: build_images.image(name) for name in build_images.NAMES}
    named["repository"] = f"tiny-repository:{RUN}"
    local_images.build_repository(named["repository"], sorted(path.parent for path in models.glob("*/config.pbtxt")))
    local_images.load(*named.values())
    return named


@pytest.fixture(scope="session")
def gateway_image() -> str:
    """The full name of the gateway's image, which is in the cluster."""
    name = f"gateway:{RUN}"
    local_images.build_gateway(name)
    local_images.load(name)
    return name


@pytest.fixture(scope="session")
def rollouts_image() -> str:
    """The full name of the image of Argo Rollouts, which is in the cluster; skips where it can't be had."""
    try:
        controller, plugin = tools.rollouts_controller(), tools.rollouts_gateway_plugin()
    except tools.ToolMissing as error:
        pytest.skip(str(error))
    name = f"rollouts:{RUN}"
    local_images.build_rollouts(name, {"rollouts-controller": controller, "rollouts-gateway-plugin": plugin})
    local_images.load(name)
    return name


@pytest.fixture(scope="session")
def http_addon_image() -> tuple[Path, str]:
    """The checkout of KEDA's HTTP add-on, and the full name of its image, which is in the cluster."""
    checkout, programs = tools.http_addon()
    name = f"http-addon:{RUN}"
    local_images.build_http_addon(name, programs)
    local_images.load(name)
    return checkout, name


def pytest_configure(config: pytest.Config) -> None:
    """kubectl and Helm get the cluster, and the tests the chart, that the fixtures of pytest-helm-charts have."""
    given = config.getoption("kubeconfig") or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    if os.pathsep in given:
        raise pytest.UsageError(f"KUBECONFIG is {given}: one file is allowed, or give it by --kubeconfig")
    os.environ["KUBECONFIG"] = given
    if chart := config.getoption("chart_path"):
        os.environ["ATS_CHART_PATH"] = chart


@pytest.fixture(scope="session", autouse=True)
def cluster_answers() -> None:
    """Ends the session with one line where there is no cluster."""
    try:
        kubectl("version", "--request-timeout=10s")
    except FileNotFoundError:
        pytest.exit("kubectl is not on PATH: install it, or set KUBECTL to its path", returncode=4)
    except CommandFailed as error:
        reason = str(error).strip().splitlines()[-1]
        pytest.exit(f"no cluster answers, --kubeconfig or KUBECONFIG must name one: {reason}", returncode=4)


@pytest.fixture(scope="module")
def namespace(request: pytest.FixtureRequest, kube_cluster: Cluster) -> Iterator[str]:
    """A new namespace in which Pod Security enforces `restricted`; everything in it is removed afterwards."""
    with new_namespace(kube_cluster, request.module.__name__.removeprefix("test_").replace("_", "-")) as name:
        yield name


@contextmanager
def new_namespace(cluster: Cluster, purpose: str) -> Iterator[str]:
    """A namespace while the block runs, in which Pod Security enforces `restricted`.

    It is not made by pytest-helm-charts' own `namespace_factory`, which would wait for each namespace to be gone, and
    its servers drain: all of them go side by side, and the session waits for them once.
    """
    name = f"it-{purpose}-{secrets.token_hex(3)}"
    enforced = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    made, _ = ensure_namespace_exists(cluster.kube_client, name, {"labels": {RUN_LABEL: RUN, **enforced}})
    NAMESPACES.append(name)
    try:
        yield name
    finally:
        NAMESPACES.remove(name)
        made.delete()


@pytest.fixture(scope="module")
def other_namespaces(kube_cluster: Cluster) -> Iterator[Callable[[str], str]]:
    """Makes further namespaces, each for a purpose that its name tells; they go with the module."""
    with ExitStack() as made:
        yield lambda purpose: made.enter_context(new_namespace(kube_cluster, purpose))


@pytest.fixture(scope="session", autouse=True)
def everything_is_gone(cluster_answers: None) -> Iterator[None]:
    """Ends the session when the namespaces have gone: their servers drain, while other tests go on."""
    yield
    selector = ["get", "namespaces", "-l", f"{RUN_LABEL}={RUN}", "-o", "name"]
    wait_until("the tests' namespaces are gone", lambda: not kubectl(*selector), 180)


@pytest.fixture(scope="session")
def records() -> Iterator[Records]:
    """Collects what was measured under load; written as JSON when the session ends."""
    collected = Records()
    yield collected
    collected.write(Path(os.environ.get("INTEGRATION_RESULTS", ROOT / "build" / "integration" / "load.json")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    """Adds to a failure what its node and its namespaces looked like at that moment."""
    report = yield
    if report.failed and report.when in ("setup", "call") and NAMESPACES:
        report.sections.append(("nodes", diagnose_nodes()))
        report.sections += [(f"namespace {name}", diagnose(name)) for name in NAMESPACES]
    return report
