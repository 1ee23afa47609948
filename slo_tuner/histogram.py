"""A latency histogram with logarithmic buckets: small, mergeable by addition, quantiles within 1 %."""

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

LOWEST_MS = 0.01
GROWTH = 1.01


class Histogram(BaseModel):
    """Counts of latencies; bucket i holds `lowest_ms * growth**i` up to the next bound, first and last are open.

    The bounds are fixed, so histograms of several load generators add up without losing their quantiles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lowest_ms: float = LOWEST_MS
    growth: float = GROWTH
    first_bucket: int = 0
    counts: tuple[int, ...] = ()

    @classmethod
    def of(cls, latencies_ms: ArrayLike) -> "Histogram":
        """The histogram of latencies in ms, shape [n]."""
        values = np.asarray(latencies_ms, dtype=np.float64)
        if values.size == 0:
            return cls()
        buckets = np.floor(np.log(np.maximum(values, LOWEST_MS) / LOWEST_MS) / np.log(GROWTH)).astype(int)
        first = int(buckets.min())
        return cls(first_bucket=first, counts=tuple(np.bincount(buckets - first).tolist()))

    @property
    def total(self) -> int:
        """How many latencies were counted."""
        return sum(self.counts)

    def quantile_ms(self, quantile: float) -> float:
        """The latency in ms below which `quantile` (0 to 1) of the counted ones lie; nan when there is none."""
        if not self.counts:
            return float("nan")
        index = int(np.searchsorted(np.cumsum(self.counts), quantile * self.total))
        bucket = self.first_bucket + min(index, len(self.counts) - 1)
        return float(self.lowest_ms * self.growth ** (bucket + 0.5))

    def merged(self, other: "Histogram") -> "Histogram":
        """The histogram of both sets of latencies."""
        if not self.counts or not other.counts:
            return self if self.counts else other
        first = min(self.first_bucket, other.first_bucket)
        last = max(h.first_bucket + len(h.counts) for h in (self, other))
        counts = np.zeros(last - first, dtype=int)
        for part in (self, other):
            start = part.first_bucket - first
            counts[start : start + len(part.counts)] += part.counts
        return Histogram(first_bucket=first, counts=tuple(counts.tolist()))
