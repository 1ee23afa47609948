"""Tests of the REST front with an event loop and gRPC, in a process of their own.

Locust, which the unit tests import, replaces Python's threads and sockets by gevent's; gRPC's event loop waits for ever
on those.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
