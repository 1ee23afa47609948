"""Locust replaces sockets with gevent's when it is imported: before anything else opens one."""

import sys
from pathlib import Path

import locust  # noqa: F401

sys.path.insert(0, str(Path(__file__).parent))
