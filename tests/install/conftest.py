"""The wheel, and empty environments with one of its extras each, as a user makes them; one server for all tests.

`nox -s install_tests` runs them. Environments are made by uv, whose cache makes the second one with TensorFlow cheap;
tests of what pip does to an environment use pip.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from child_output import ChildOutput

ROOT = Path(__file__).parents[2]
Completed = subprocess.CompletedProcess[str]
INSTALL_S = 1800.0
# What leads Python, pip or a command to other packages than those of the environment under test.
_LEADING = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_CONSTRAINT", "PIP_REQUIREMENT")


def run(command: Sequence[str | Path], timeout_s: float = 900.0, **environment: str) -> Completed:
    """Run a program outside of the checkout, so that it finds what is installed and not the sources beside it."""
    env = {name: value for name, value in os.environ.items() if name not in _LEADING} | environment
    words = [str(word) for word in command]
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        cwd="/",
        env=env,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def succeeded(done: Completed) -> Completed:
    """What has ended well; AssertionError with its last words otherwise."""
    assert done.returncode == 0, f"{done.args}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
    return done


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def command(self, name: str, *arguments: str | Path) -> list[str | Path]:
        """A command that the wheel has installed."""
        return [self.folder / "bin" / name, *arguments]

    def run(self, name: str, *arguments: str | Path, **environment: str) -> Completed:
        """Run such a command."""
        return run(self.command(name, *arguments), **environment)

    def version(self, package: str) -> str:
        """The installed version of a package; empty without it."""
        ask = (
            "import importlib.metadata as m, sys\n"
            "try: print(m.version(sys.argv[1]))\n"
            "except m.PackageNotFoundError: print()"
        )
        return succeeded(run([self.python, "-c", ask, package])).stdout.strip()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the sdist, as an index would get both."""
    folder = tmp_path_factory.mktemp("dist")
    succeeded(run([sys.executable, "-m", "build", "--outdir", folder, ROOT]))
    (found,) = folder.glob("*.whl")
    return found


Make = Callable[[str], Environment]


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """An empty environment with the wheel and extras, as `front` or `builder,s3`; each is made once."""
    made: dict[str, Environment] = {}
    uv = str(Path(sys.executable).with_name("uv"))

    def make(extras: str) -> Environment:
        if extras not in made:
            folder = tmp_path_factory.mktemp("env")
            succeeded(run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder]))
            wanted = f"{wheel}[{extras}]" if extras else str(wheel)
            install = [uv, "pip", "install", "--quiet", "--native-tls", "--python", folder / "bin" / "python", wanted]
            succeeded(run(install, INSTALL_S))
            made[extras] = Environment(folder)
        return made[extras]

    yield make
    for one in made.values():
        shutil.rmtree(one.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def models(environment: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plans/tiny.yaml, built by the extra `builder`."""
    output = tmp_path_factory.mktemp("built") / "models"
    succeeded(environment("builder").run("model-repo-builder", "build", ROOT / "plans/tiny.yaml", "--output", output))
    return output


@contextmanager
def started(command: Sequence[str | Path], until: str, deadline_s: float = 300.0) -> Iterator[str]:
    """A program in the background, once a line of its output matches `until`; its output up to then."""
    env = {name: value for name, value in os.environ.items() if name not in _LEADING}
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env=env,
    )
    output = ChildOutput(process)
    try:
        yield output.until(re.compile(until), deadline_s)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        output.close()


@pytest.fixture(scope="session")
def triton(environment: Make, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gRPC address of the real tritonserver of the extra `server`, started by the extra `tuner`."""
    log = tmp_path_factory.mktemp("log") / "tritonserver.log"
    server = f"--server-python={environment('server').python}"
    loaded = [f"--load={path.name}" for path in sorted(models.iterdir()) if (path / "config.pbtxt").exists()]
    serve = environment("tuner").command("slo-tuner", "serve", models, *loaded, server, f"--log={log}")
    with started(serve, until="models:") as printed:
        found = re.search(r"gRPC (\S+),", printed)
        assert found, printed
        yield found[1]
