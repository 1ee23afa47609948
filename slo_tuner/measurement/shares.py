"""Who did how much of a point: each of several servers, the load, and a server on the load's own machine."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..load.request_log import RequestLog, quantile_of
from ..results.schema import ServerShare, busiest_over_mean


def shares_of(rows: RequestLog, addresses: Sequence[str], counted: Sequence[int]) -> dict[str, Any]:
    """The fields `servers` and `busiest_over_mean` of a point with these requests; nothing of a single server.

    `counted`: the requests that each server has counted itself, in the order of the addresses; other lengths say that
    nobody knows.
    """
    if len(addresses) < 2:
        return {}
    servers = tuple(
        _share(rows, place, address, counted[place] if len(counted) == len(addresses) else None)
        for place, address in enumerate(addresses)
    )
    return {"servers": servers, "busiest_over_mean": busiest_over_mean(servers)}


def _share(rows: RequestLog, place: int, address: str, counted: int | None) -> ServerShare:
    own = RequestLog(rows.table[rows.server == place])
    latencies = own.answered().latency_ms
    return ServerShare(
        address=address,
        requests=len(own),
        errors=int(np.count_nonzero(~own.ok)),
        share=len(own) / max(1, len(rows)),
        counted=counted,
        p95_ms=quantile_of(latencies, 0.95),
    )


def server_cpu_ms(server_cpu_s: float | None, requests: int) -> float | None:
    """CPU time of the server for a request in ms; None where it is not known."""
    return server_cpu_s * 1000 / requests if server_cpu_s is not None and requests else None
