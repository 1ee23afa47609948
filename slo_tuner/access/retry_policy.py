"""The retry policy of docs/how-to/reliability.md, as gRPC's clients read it: followed only where it was asked for.

Source: gRFC A6 (client retries), https://github.com/grpc/proposal/blob/master/A6-client-retries.md.
"""

import random
from typing import Any

MOST_ATTEMPTS = 3
FIRST_BACKOFF_S, MOST_BACKOFF_S, BACKOFF_MULTIPLIER = 0.05, 0.5, 2
RETRYABLE = "UNAVAILABLE"
_JITTER = 0.2

SERVICE_CONFIG: dict[str, Any] = {
    "methodConfig": [
        {
            "name": [{"service": "inference.GRPCInferenceService"}],
            "retryPolicy": {
                "maxAttempts": MOST_ATTEMPTS,
                "initialBackoff": f"{FIRST_BACKOFF_S:g}s",
                "maxBackoff": f"{MOST_BACKOFF_S:g}s",
                "backoffMultiplier": BACKOFF_MULTIPLIER,
                "retryableStatusCodes": [RETRYABLE],
            },
        }
    ]
}


def retried(attempts: int, failure: str) -> bool:
    """Whether a request that has been sent so many times is sent again after this failure, `STATUS: why`."""
    return attempts < MOST_ATTEMPTS and failure.startswith(RETRYABLE)


def backoff_s(attempts: int, generator: random.Random) -> float:
    """Seconds to wait before a request is sent again that has been sent so many times."""
    longest = min(FIRST_BACKOFF_S * float(BACKOFF_MULTIPLIER) ** (attempts - 1), MOST_BACKOFF_S)
    return longest * generator.uniform(1 - _JITTER, 1 + _JITTER)
