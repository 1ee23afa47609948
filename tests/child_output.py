"""The lines that a child process prints, read all the time: one that prints into a full pipe would stop."""

import queue
import re
import subprocess
import threading
import time


class ChildOutput:
    """Reads the standard output of a process that was started with `stdout=PIPE, text=True`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process, self._pipe, self._lines = process, process.stdout, queue.SimpleQueue[str]()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._pipe:
            self._lines.put(line)
        self._lines.put("")

    def line(self, deadline_s: float = 240.0) -> str:
        """The next line; empty at the end of the output. TimeoutError where it does not come."""
        try:
            return self._lines.get(timeout=deadline_s)
        except queue.Empty:
            raise TimeoutError(f"nothing was printed in {deadline_s:g} s") from None

    def until(self, holds: re.Pattern[str], deadline_s: float) -> str:
        """All that is printed up to the first line in which the pattern is found."""
        printed, end = "", time.monotonic() + deadline_s
        while line := self.line(max(0.0, end - time.monotonic())):
            printed += line
            if holds.search(line):
                return printed
        raise AssertionError(f"the program ended before it printed {holds.pattern!r}:\n{printed}")

    def rest(self, deadline_s: float = 240.0) -> str:
        """What is printed from here to the end of the output."""
        end = time.monotonic() + deadline_s
        return "".join(iter(lambda: self.line(max(0.0, end - time.monotonic())), ""))

    def close(self, deadline_s: float = 30.0) -> None:
        """Once the process has ended: wait for the reader, and close the pipe.

        A pipe that a child of the process still holds stays open after the deadline.
        """
        self._reader.join(deadline_s)
        if not self._reader.is_alive():
            self._pipe.close()
