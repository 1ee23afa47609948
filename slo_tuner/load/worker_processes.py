"""Load workers as processes of this machine: started together, watched, and ended with this one."""

import os
import sys
from pathlib import Path

from command_line.errors import GeneratorError

from ..access.client_access import Access
from ..child_process import Child, end_children, start_child

STOP_S = 5.0


class WorkerProcesses:
    """Runs `slo-tuner worker` several times; what the processes print is kept at `log`.

    They get the `access` by their environment: everybody may read a command line.
    """

    def __init__(self, log: Path, access: Access | None = None) -> None:
        self._log, self._access = log, access or Access()
        self._processes: list[Child] = []

    def start(self, count: int, master: str) -> None:
        """Start `count` workers for the tuner at `master`, as HOST:PORT."""
        command = [sys.executable, "-m", "slo_tuner", "worker", master]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        environment = self._access.environment(os.environ)
        with self._log.open("wb") as log:
            for _ in range(count):
                # The directory of this package is where -m looks first: all processes run the same code.
                self._processes.append(start_child(command, log, environment, cwd=Path(__file__).parents[2]))

    def check(self) -> None:
        """GeneratorError when one of them has ended."""
        for number, process in enumerate(self._processes, start=1):
            if process.poll() is not None:
                raise GeneratorError(
                    f"load worker {number} of {len(self._processes)} ended with exit code {process.returncode}; "
                    f"{self.last_words()}"
                )

    def last_words(self) -> str:
        """The last line that any of them printed, and where the others are."""
        lines = self._log.read_text(errors="replace").splitlines()
        return f"{lines[-1].strip()[:300] if lines else 'it said nothing'} (log: {self._log})"

    def stop(self) -> None:
        """End all of them."""
        end_children(self._processes, STOP_S)
