"""A server that can be killed: its command in the chart's values, and how to kill it."""

from __future__ import annotations

from cluster import kubectl

# As PID 1 the server would be immune to signals from inside of its container, so it gets a parent, which starts no
# server while the file is there; /tmp outlives a container.
COMMAND = [
    "bash",
    "-c",
    "trap exit TERM; while [ -e /tmp/stays-down ]; do sleep 0.2; done;"
    ' tritonserver "$@" & trap "kill -TERM $!; wait $!" TERM; wait $!',
    "server",
]
_KILL = 'for one in /proc/[0-9]*; do [ "$(<$one/comm)" != tritonserver ] || kill -9 "${one#/proc/}"; done 2>/dev/null'


def kill(namespace: str, pod: str, *, stays_down: bool = False) -> None:
    """Kills the server of a Pod by SIGKILL; Kubernetes starts it again, unless it is to stay down."""
    _run(namespace, pod, f"touch /tmp/stays-down; {_KILL}" if stays_down else _KILL)


def let_start(namespace: str, pod: str) -> None:
    """Ends what `stays_down` began."""
    _run(namespace, pod, "rm /tmp/stays-down")


def _run(namespace: str, pod: str, script: str) -> None:
    kubectl("-n", namespace, "exec", pod, "-c", "triton", "--", "bash", "-c", script)
