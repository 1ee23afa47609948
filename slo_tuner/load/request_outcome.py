"""How a request ended: answered, failed, or refused by a queue policy of Triton on purpose."""

from enum import IntEnum

MOST_TOLD = 160
"""Characters of why a request failed: a reason groups with its like, and results hold many."""


class RequestOutcome(IntEnum):
    """As rows keep it; whatever is above 0 was answered."""

    ANSWERED = 1
    FAILED = 0
    SHED = -1
    TIMED_OUT = -2


# What Triton says when a queue has max_queue_size requests, and when one waited longer than its time-out with the
# action REJECT, over gRPC (UNAVAILABLE) and HTTP (503) alike (triton-inference-server/core, src/scheduler_utils.cc).
_REFUSALS = {"Exceeds maximum queue size": RequestOutcome.SHED, "Request timeout expired": RequestOutcome.TIMED_OUT}


def outcome_of(failure: Exception | None) -> RequestOutcome:
    """The outcome of a request that ended with this failure; None: it was answered."""
    if failure is None:
        return RequestOutcome.ANSWERED
    return next((outcome for said, outcome in _REFUSALS.items() if said in str(failure)), RequestOutcome.FAILED)
