"""How Hypothesis tries inputs in all tests.

A slow example on a busy machine says nothing about the code. With `CI` set the same inputs are tried in every run, so
that a run fails for a change and not by chance.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "inference-system",
    settings.get_profile("ci" if os.environ.get("CI") else "default"),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("inference-system")
