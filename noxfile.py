"""The project's sessions: `nox -s tests` checks everything that needs no cluster, `nox -s demo` shows the product.

The server, the builder and the load generator need packages that exclude one another, so each has an environment of
its own, made by the sessions `server_env`, `builder_env` and `client_env`. `test_env` makes the one that all tests but
the builder's share.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox
from nox.command import CommandFailed

# nox runs on any Python; the project does not, and would say so only after it has downloaded much.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
if PYTHON not in ("3.11", "3.12"):
    sys.exit(
        f"Python {PYTHON} is not supported: use 3.11 or 3.12, as in `python3.12 -m venv .venv` "
        "and `.venv/bin/pip install nox`"
    )
sys.path.insert(0, str(Path(__file__).parent / "ci"))
import requirements  # noqa: E402  after the check above, and from ci/

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.default_venv_backend = "uv|virtualenv" if shutil.which("uv") else "virtualenv"
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml("pyproject.toml")
# What the project's own tests import, whether they start a server or not.
TESTED = ("tuner", "parquet", "front", "image-client", "tests", "charts", "gateway", "cluster-tests")


def _install(session: nox.Session, *names: str, project: bool = True) -> None:
    """Install extras and dependency groups at their tested versions, and the project itself, unless all is there.

    TensorFlow is the one for CPUs: what this machine's sessions do needs no GPU.
    """
    if "tritonserver" in names:
        session.error("the server's wheel is installed without its requirements: see server_env")
    wanted = requirements.requirements(list(names), project=project, cpu=True)
    stamp = Path(session.virtualenv.location) / "installed.sha256"
    digest = hashlib.sha256(
        "\n".join([session.python or PYTHON, str(project), str(ROOT), *wanted]).encode()
    ).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    # tf-keras asks for `tensorflow`, which would write over tensorflow-cpu.
    listed = requirements.listed("transformers", PYPROJECT) if "transformers" in names else ()
    special = set(map(requirements.package, listed))
    alone = [one for one in wanted if requirements.package(one) in special]
    _fetch(session, *(one for one in wanted if one not in alone))
    if alone:
        _fetch(session, "--no-deps", *alone)
    if project:
        _fetch(session, "--no-deps", "--editable", ".")
    stamp.write_text(digest)


def _fetch(session: nox.Session, *arguments: str) -> None:
    """Install packages; where that fails, say what may be in the way: pip tells of retries and of no version."""
    try:
        session.install(*arguments)
    except CommandFailed:
        session.error(
            "packages could not be installed, pip says above which; is there a network, and space on the disk? "
            "Behind a proxy set HTTPS_PROXY=http://HOST:PORT, for an index of your own PIP_INDEX_URL"
        )


def _install_alone(session: nox.Session, name: str, *options: str) -> None:
    """Install the packages of an extra or a group without what they ask for, unless they are there already."""
    wanted = requirements.requirements([name])
    stamp = Path(session.virtualenv.location) / f"{name}.txt"
    if not stamp.exists() or stamp.read_text() != " ".join(wanted):
        _fetch(session, "--no-deps", *options, *wanted)
        stamp.write_text(" ".join(wanted))


# Pytest's exit code where nothing was collected.
_NO_TESTS = 5


def _pytest_command(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Pytest in the tests' own environment, whose programs come first, and the PATH for that."""
    programs = ROOT / _python_of("test_env").parent
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return [str(programs / "python"), "-m", "pytest", *arguments], {"PATH": path}


def _pytest(session: nox.Session, *arguments: str, one_of_several: bool = False) -> None:
    """Run pytest in the tests' own environment; of `one_of_several` runs arguments after `--` may choose no test."""
    command, env = _pytest_command(*arguments)
    codes = [0, _NO_TESTS] if one_of_several and session.posargs else [0]
    session.run(*command, env=env, external=True, success_codes=codes)


def _side_by_side(session: nox.Session, *chains: Sequence[Sequence[str]]) -> None:
    """Run chains of pytest commands at the same time, one a core; the output of a chain is printed when it ends."""

    def run(chain: Sequence[Sequence[str]]) -> list[str]:
        failed = []
        for arguments in chain:
            command, env = _pytest_command(*arguments)
            done = subprocess.run(
                command, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            session.log(f"pytest {' '.join(arguments)}\n{done.stdout}")
            # The arguments after `--` may choose none of these tests.
            if done.returncode and not (done.returncode == _NO_TESTS and session.posargs):
                failed.append(" ".join(arguments))
        return failed

    with ThreadPoolExecutor(len(chains)) as pool:
        failed = [name for names in pool.map(run, chains) for name in names]
    if failed:
        session.error(f"failed: {'; '.join(failed)}")


def _python_of(session_name: str) -> Path:
    """The interpreter of another session's environment, relative to the project."""
    return Path(".nox", session_name, "bin", "python")


@nox.session(default=False)
def server_env(session: nox.Session) -> None:
    """Make the server's environment: tritonserver from its wheel, and the libraries that execute models."""
    _install_alone(session, "tritonserver")
    _install(session, "frameworks", "openvino", "images", project=False)


@nox.session(default=False)
def builder_env(session: nox.Session) -> None:
    """Make the builder's environment: TensorFlow, ONNX and the project."""
    _install(session, "builder", "s3", "gs", "transformers", "pretrained", "tests", "storage-servers")


@nox.session(default=False)
def client_env(session: nox.Session) -> None:
    """Make the load generator's environment: Locust, the Triton client and the project."""
    _install(session, "tuner")


@nox.session(default=False)
def test_env(session: nox.Session) -> None:
    """Make the tests' environment: the project without the builder's and the server's packages, and pytest."""
    _install(session, *TESTED)


@nox.session(default=False)
def lint(session: nox.Session) -> None:
    """Check style, imports and types, the shell scripts and the workflows."""
    _install(session, "lint", "tuner", "front", "image-client", "charts")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    scripts = [
        ".ci/run",
        *(str(path.relative_to(ROOT)) for top in ("ci", "charts") for path in ROOT.glob(f"{top}/**/*.sh")),
    ]
    session.run("shellcheck", "--external-sources", *scripts)
    session.run("python", "ci/workflows.py")


@nox.session(default=False, requires=["test_env"], venv_backend="none")
def chart_tests(session: nox.Session) -> None:
    """Test the Helm charts without a cluster."""
    _pytest(session, "-n", "2", "-m", "not external", "tests/chart", *session.posargs)


@nox.session(default=False, requires=["test_env"], venv_backend="none")
def external_tests(session: nox.Session) -> None:
    """Test alerts by promtool, publishing by docker-registry and signatures by gpg: programs that nox can't install."""
    _pytest(session, "-m", "external", "tests/chart", *session.posargs)


@nox.session(default=False)
def chart_docs(session: nox.Session) -> None:
    """Write what follows from sources: schemas, README tables, dashboards, Chart.lock; `-- --check` compares."""
    _install(session, "charts")
    for command in (["ci/chart_docs.py"], ["-m", "monitoring"], ["ci/chart_lock.py"]):
        session.run("python", *command, *session.posargs)


@nox.session(default=False, requires=["test_env"], venv_backend="none")
def reference_docs(session: nox.Session) -> None:
    """Write the pages that follow from sources: command line, schema of plans, metrics; `-- --check` compares."""
    session.run(str(_python_of("test_env")), "ci/reference_docs.py", *session.posargs, external=True)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation's site into build/site, strictly; `-- serve` shows it while you write."""
    _install(session, "docs", project=False)
    _install_alone(session, "diagrams", "--ignore-requires-python")
    # The theme's makers tell of their next one with each build: docs/decisions knows.
    session.run("mkdocs", *(session.posargs or ["build", "--strict"]), env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(default=False)
def chart_package(session: nox.Session) -> None:
    """Package the charts, the umbrella with its dependencies; `-- --help` lists the options."""
    _install(session, "charts")
    session.run("python", "ci/chart_package.py", *session.posargs)


@nox.session(default=False)
def publish(session: nox.Session) -> None:
    """Push the packaged charts to an OCI registry: `-- oci://REGISTRY/PATH`."""
    _install(session, "charts")
    session.run("python", "ci/chart_publish.py", *session.posargs)


def _test_builder(session: nox.Session, which: str, *arguments: str) -> None:
    """Run the tests that need TensorFlow, in the builder's environment."""
    python = str(_python_of("builder_env"))
    chosen = ("-n", "2", "--dist=loadfile", "-m", which, "tests/builder_env")
    session.run(python, "-m", "pytest", *chosen, *arguments, external=True)


@nox.session(default=False, requires=["builder_env"], venv_backend="none")
def builder_tests(session: nox.Session) -> None:
    """Test the builder with object storage, real weights, the speed test and a SavedModel of one's own."""
    _test_builder(session, "slow", *session.posargs)


@nox.session(default=False, requires=["builder_env", "test_env", "lint"], venv_backend="none")
def tests(session: nox.Session) -> None:
    """Run lint, types, unit and chart tests, and small builds: everything that takes a moment."""
    quick, others = ("-m", "not slow and not external", *session.posargs), sorted(_units() - {"tests/unit/slo_tuner"})
    _side_by_side(
        session,
        [["tests/unit/slo_tuner", *quick], ["tests/front", *quick]],
        [["tests/chart", *quick], [*others, *quick]],
    )
    if not session.posargs:
        _test_builder(session, "not slow")


@nox.session(default=False, requires=["test_env"], venv_backend="none")
def slow_tests(session: nox.Session) -> None:
    """Run the unit and chart tests that take seconds each: real time, many searches, many renderings."""
    slow = ("-m", "slow", *session.posargs)
    _side_by_side(session, [["tests/unit", *slow]], [["tests/chart", *slow]])


def _units() -> set[str]:
    return {str(path.relative_to(ROOT)) for path in (ROOT / "tests/unit").iterdir() if path.name != "__pycache__"}


@nox.session(default=False)
def public_models(session: nox.Session) -> None:
    """Download packages that hold SavedModels made by others; what else they ask for is left out."""
    _install_alone(session, "public-models")


@nox.session(default=False, requires=["server_env", "builder_env", "test_env", "public_models"], venv_backend="none")
def server_tests(session: nox.Session) -> None:
    """Test everything with the real tritonserver: a whole ladder, the tuner, the REST front, lost servers."""
    names = {"BUILDER_PYTHON": "builder_env", "SERVER_PYTHON": "server_env", "PUBLIC_MODELS_PYTHON": "public_models"}
    session.env.update({name: str(_python_of(env)) for name, env in names.items()})
    side_by_side = ("-m", "not measures", "-n", "2", "--dist=loadfile")
    _pytest(session, "tests/end_to_end", *side_by_side, *session.posargs, one_of_several=True)
    _pytest(session, "tests/end_to_end", "-m", "measures", *session.posargs, one_of_several=True)


@nox.session(default=False, requires=["builder_env"])
def build_models(session: nox.Session) -> None:
    """Build a plan's model repository; `-- PLAN OUTPUT` (default plans/resnet50-cpu.yaml demo/models)."""
    if len(session.posargs) not in (0, 2):
        session.error(f"{' '.join(session.posargs)}: give a plan and an output folder, as in -- flowers.yaml models")
    plan, output = session.posargs or ("plans/resnet50-cpu.yaml", "demo/models")
    builder = _python_of("builder_env").with_name("model-repo-builder")
    session.run(str(builder), "build", plan, "--output", output, external=True)


def _tuner(session: nox.Session, *arguments: str) -> None:
    """Run slo-tuner in its own environment, with the server's environment at hand."""
    tuner = _python_of("client_env").with_name("slo-tuner")
    session.run(str(tuner), *arguments, f"--server-python={_python_of('server_env')}", external=True)


@nox.session(default=False, requires=["server_env", "client_env"])
def ladder(session: nox.Session) -> None:
    """Run `slo-tuner ladder` with the arguments after `--`, as `-- --repository models --objective 'p95<=100ms'`."""
    _tuner(session, "ladder", *session.posargs)


@nox.session(default=False, requires=["server_env", "client_env", "build_models"])
def demo(session: nox.Session) -> None:
    """Build ResNet-50 in several optimisations, serve them, and find what each keeps of a latency objective."""
    models = "original,onnx_fp32,onnx_int8,onnx_int8_tuned"
    chosen = [
        "--repository=demo/models",
        f"--models={models}",
        "--output=demo/results",
        "--title=ResNet-50 on CPU cores",
    ]
    _tuner(session, "ladder", *chosen, "--objective=auto", "--effort=quick")
    session.log("the report: demo/results/report.html")


@nox.session(default=False, requires=["server_env", "client_env", "builder_env"])
def quickstart(session: nox.Session) -> None:
    """Serve EfficientNet-Lite0 with its real weights: rates beside the best guesses for a photograph."""
    models, results = "demo/quickstart/models", "demo/quickstart/results"
    names = "original,onnx_int8"
    builder, tuner = (str(_python_of(env).with_name(name)) for env, name in _COMMANDS)
    plan = "plans/efficientnet-lite0-cpu.yaml"
    session.run(builder, "build", plan, f"--only={names}", "--output", models, external=True)
    chosen = [f"--repository={models}", f"--models={names}", f"--output={results}"]
    _tuner(session, "ladder", *chosen, "--title=EfficientNet-Lite0 on CPU cores", "--objective=auto", "--effort=brisk")
    guesses = ["--batch=1", "--repeats=1", "--seconds=0.3", f"--output={results}/speed-test", "--quiet"]
    session.run(builder, "speed-test", models, f"--only={names}", *guesses, external=True)
    seen = f"--speed-test={results}/speed-test/speed-test.json"
    session.run(tuner, "report", f"{results}/results.json", seen, external=True)
    session.log(f"the report: {results}/report.html")


_COMMANDS = (("builder_env", "model-repo-builder"), ("client_env", "slo-tuner"))


@nox.session(default=False, requires=["client_env"])
def generator_benchmark(session: nox.Session) -> None:
    """Measure the CPU time of the load generator per request, against a server that does nothing; `-- --workers 2`."""
    session.run(str(_python_of("client_env")), "benchmarks/generator.py", *session.posargs, external=True)


@nox.session(default=False, requires=["server_env", "client_env", "builder_env"], venv_backend="none")
def disturbance_benchmark(session: nox.Session) -> None:
    """Measure how far a rate moves beside a program that burns a share of a core; needs a quiet machine, 12 minutes."""
    models = ROOT / "demo" / "disturbance" / "models"
    builder = _python_of("builder_env").with_name("model-repo-builder")
    session.run(str(builder), "build", "plans/tiny.yaml", "--output", str(models), external=True)
    where = (f"--repository={models}", f"--output={models.with_name('disturbance.json')}")
    benchmark = ("benchmarks/disturbance.py", *where, f"--server-python={_python_of('server_env')}")
    session.run(str(_python_of("client_env")), *benchmark, *session.posargs, external=True)


@nox.session(default=False, requires=["client_env"], venv_backend="none")
def tuner_benchmark(session: nox.Session) -> None:
    """Compare the tuner with brute force and a hill climb on random simulated servers; `-- --members 10`."""
    session.run(str(_python_of("client_env")), "benchmarks/tuner.py", *session.posargs, external=True)


@nox.session(default=False)
def package(session: nox.Session) -> None:
    """Build sdist and wheel into dist/, and check what an index would show of them."""
    _install(session, "package", project=False)
    output = ROOT / "dist" / "python"
    shutil.rmtree(output, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(output), *session.posargs)
    session.run("twine", "check", "--strict", *map(str, sorted(output.iterdir())))


@nox.session(default=False)
def release_check(session: nox.Session) -> None:
    """Check that version, charts, images, changelog and tag are of one release: `-- v0.1.0` names the tag."""
    _install(session, "charts")
    session.run("python", "ci/release_check.py", *session.posargs)


@nox.session(default=False, requires=["client_env", "builder_env", "server_env"])
def sbom(session: nox.Session) -> None:
    """Write what is released as bills of materials (CycloneDX) into dist/sbom/: one for each environment."""
    _install(session, "package", project=False)
    output = ROOT / "dist" / "sbom"
    output.mkdir(parents=True, exist_ok=True)
    for name in ("client_env", "builder_env", "server_env"):
        target = output / f"{name.removesuffix('_env')}.cdx.json"
        # Its validator is an extra of its own, with a dozen packages.
        options = ("--no-validate", "--output-reproducible", "--pyproject", "pyproject.toml")
        session.run("cyclonedx-py", "environment", *options, f"--output-file={target}", str(_python_of(name)))


@nox.session(default=False)
def install_tests(session: nox.Session) -> None:
    """Install the wheel with each extra into an empty environment, and run each command on a small real job.

    Downloads 2 GB the first time: of all that runs by itself, only the workflow `tests` has a job for it.
    """
    _install(session, "package", "install-tests", project=False)
    # tests/conftest.py is for the other tests, and imports what no test of an installation needs.
    session.run("pytest", "--confcutdir=tests/install", "tests/install", *session.posargs)


@nox.session(default=False)
def build_images(session: nox.Session) -> None:
    """Build the images of images/; IMAGE_BUILD and IMAGE_BUILD_ARGS choose how."""
    _install(session, "charts")
    session.run("python", "ci/build_images.py", *session.posargs)


@nox.session(default=False, venv_backend="none")
def kind_addons(session: nox.Session) -> None:
    """Put into the cluster of ci/kind.yaml what the integration tests need: operators, a pretended GPU."""
    session.run("ci/kind.sh", external=True)


@nox.session(default=False, requires=["builder_env", "test_env"], venv_backend="none")
def integration(session: nox.Session) -> None:
    """Test the charts on the cluster of KUBECONFIG; tests/integration/README.md says what it needs."""
    session.env["BUILDER_PYTHON"] = str(ROOT / _python_of("builder_env"))
    _pytest(session, "tests/integration", *session.posargs)
