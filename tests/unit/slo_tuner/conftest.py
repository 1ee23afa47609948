"""Locust replaces sockets with gevent's when it is imported: before anything else opens one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import locust  # noqa: F401
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from trivial import trivial_server


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where a server answers at once."""
    with trivial_server() as answering:
        yield answering
