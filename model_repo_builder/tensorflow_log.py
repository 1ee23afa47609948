"""What TensorFlow prints whatever TF_CPP_MIN_LOG_LEVEL says: its optimiser tells each time that it counts GPUs."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Abseil's own logging, which TensorFlow 2.17 has not begun to set up.
_OF_NO_USE = re.compile(rb"WARNING: All log messages before absl::InitializeLog|I\d{4} ")


@contextmanager
def without_informing_lines() -> Iterator[None]:
    """Standard error without Abseil's informing lines; all else is printed when the block has ended."""
    sys.stderr.flush()
    real = os.dup(2)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(real, 2)
                file.seek(0)
                rest = b"".join(line for line in file if not _OF_NO_USE.match(line))
                if rest:
                    os.write(2, rest)
    finally:
        os.close(real)
