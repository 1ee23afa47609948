"""Runs the real tritonserver on a model repository: explicit model control, known ports, a log file, a sure end."""

import re
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import urllib3

from command_line.errors import ServerError, UsageError

from ..child_process import Child, Started, end_children, start_child
from .find_tritonserver import Tritonserver

START_S = 60.0
STOP_S = 15.0


@dataclass(frozen=True)
class Ports:
    """The three ports of a server on loopback."""

    http: int
    grpc: int
    metrics: int


def pick_ports(http: int = 0, grpc: int = 0, metrics: int = 0) -> Ports:
    """The ports asked for, free ones for each 0; UsageError names a port that is taken."""
    chosen = []
    with ExitStack() as bound:
        for name, port in (("http-port", http), ("grpc-port", grpc), ("metrics-port", metrics)):
            probe = bound.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                raise UsageError(name, port, f"the port is not free ({error}); 0 picks a free one") from None
            chosen.append(probe.getsockname()[1])
    return Ports(*chosen)


def check_repository(path: Path) -> None:
    """UsageError unless `path` is a directory with at least one model.

    That is a directory with a config.pbtxt, or with a version: Triton completes many configurations by itself.
    """
    if not path.is_dir():
        raise UsageError("repository", str(path), "name an existing model repository")
    try:
        models = [folder for folder in path.iterdir() if folder.is_dir() and _is_model(folder)]
        unstartable = next((folder for folder in models if not _is_plain(folder.name) and _has_python(folder)), None)
    except OSError as error:
        raise UsageError("repository", str(path), f"it cannot be read ({error.strerror})") from None
    if unstartable is not None:
        raise UsageError("repository", str(unstartable), f"{_NOT_PLAIN} in a model's name: rename the directory")
    if not models:
        raise UsageError(
            "repository", str(path), "no directory in it has a config.pbtxt or a version such as 1; build one first"
        )


def _is_model(folder: Path) -> bool:
    return (folder / "config.pbtxt").is_file() or bool(_versions(folder))


def _has_python(folder: Path) -> bool:
    """Whether Triton's python backend executes the model."""
    return any((version / "model.py").is_file() for version in _versions(folder))


def _versions(folder: Path) -> list[Path]:
    """Directories whose name is a number without a 0 before it (triton-inference-server/core)."""
    numbered = (child for child in folder.iterdir() if child.name.isdigit() and not child.name.startswith("0"))
    return [child for child in numbered if child.is_dir()]


# The python backend starts its stub by `bash -c`, with paths that it does not quote (its src/stub_launcher.cc).
_NOT_PLAIN = "Triton's python backend takes letters, digits and ./+:@%,=-_ alone"


def _is_plain(path: str | Path) -> bool:
    """Whether a shell reads a path as it is written."""
    return re.fullmatch(r"[\w./+:@%,=-]+", str(path)) is not None


class TritonProcess(Started):
    """A tritonserver as a context manager. Its log is kept at `log`; it ends with this process, however that ends."""

    def __init__(
        self, server: Tritonserver, repository: Path, ports: Ports, log: Path, extra: Sequence[str] = ()
    ) -> None:
        self.ports, self.log = ports, log
        self._server, self._repository, self._extra = server, repository, list(extra)
        if not _is_plain(tempfile.gettempdir()):
            raise UsageError("TMPDIR", tempfile.gettempdir(), f"{_NOT_PLAIN} in a path")
        self._scratch = Path(tempfile.mkdtemp(prefix="slo-tuner-"))
        self._process: Child | None = None

    @property
    def grpc_address(self) -> str:
        """host:port for gRPC."""
        return f"127.0.0.1:{self.ports.grpc}"

    @property
    def http_address(self) -> str:
        """host:port for HTTP."""
        return f"127.0.0.1:{self.ports.http}"

    @property
    def metrics_url(self) -> str:
        """Where its metrics are."""
        return f"http://127.0.0.1:{self.ports.metrics}/metrics"

    def check(self) -> None:
        """ServerError, with the end of the log, when the server has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ServerError(f"tritonserver ended with exit code {self._process.returncode}; {self.last_words()}")

    def last_words(self) -> str:
        """The last error lines of the log, and where the whole log is."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        errors = [line for line in lines if line.startswith("E") or "rror" in line][-2:] or lines[-2:]
        return " | ".join(line.strip()[:300] for line in errors) + f" (log: {self.log})"

    def wait(self) -> int:
        """Wait until the server ends."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """End the server: politely, after `STOP_S` by force, and everything that it started with it."""
        if self._process is not None:
            end_children([self._process], STOP_S)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def start(self) -> None:
        """Start the server; ServerError, with the end of its log, unless it is live in time."""
        self._start()
        self._wait_until_live()

    def _start(self) -> None:
        command = [
            str(self._server.program),
            f"--model-repository={self._plain_repository()}",
            "--model-control-mode=explicit",
            f"--http-port={self.ports.http}",
            f"--grpc-port={self.ports.grpc}",
            f"--metrics-port={self.ports.metrics}",
            *(f"--{protocol}-address=127.0.0.1" for protocol in ("http", "grpc", "metrics")),
            "--exit-timeout-secs=10",
        ]
        if not Path("/dev/nvidiactl").exists():
            command.append("--allow-gpu-metrics=false")  # without a GPU they only fill the log with errors
        backends = self._server.backend_directory(self._scratch)
        if backends is not None:
            command.append(f"--backend-directory={backends}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = start_child(command + self._extra, log, self._server.environment())

    def _plain_repository(self) -> Path:
        """The repository, by a link where a shell would read its path otherwise than it is written."""
        if _is_plain(self._repository):
            return self._repository
        link = self._scratch / "repository"
        link.symlink_to(self._repository.absolute())
        return link

    def _wait_until_live(self) -> None:
        deadline = time.monotonic() + START_S
        # A server that ends waits for connections that are kept open, until its exit time-out.
        http = urllib3.PoolManager(timeout=2.0, retries=False, headers={"Connection": "close"})
        while time.monotonic() < deadline:
            self.check()
            with suppress(urllib3.exceptions.HTTPError):
                if http.request("GET", f"http://{self.http_address}/v2/health/live").status == 200:
                    return
            time.sleep(0.1)
        raise ServerError(f"tritonserver was not live after {START_S:g} s; {self.last_words()}")
