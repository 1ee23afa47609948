"""Servers with known response surfaces and noise: a dynamic batcher, several instances, one shared processor.

Written apart from slo_tuner.capacity.queue_model, event by event, and with what that does not know: batches whose time
grows as a power of their size, contention that sets in gradually, service times that vary, a machine that is some
percent slower during one measurement than during the next.
"""

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
from simulated_server import shed

from slo_tuner.capacity.configuration import Configuration
from slo_tuner.load.arrivals import poisson_arrivals
from slo_tuner.measurement.open_loop import latency_summary
from slo_tuner.results.schema import Point, SweepPoint
from slo_tuner.slo.objective import Objective
from slo_tuner.slo.sequential_test import judge_point
from slo_tuner.slo.stop_rule import Fates, is_over
from slo_tuner.tuning.trial import RefusedError


@dataclass(frozen=True)
class Surface:
    """The truth about one server; times in seconds."""

    own: float
    fixed: float
    item: float
    power: float
    width: float
    friction: float
    variation: float
    outside: float
    most_copies: int

    @classmethod
    def drawn(cls, seed: int) -> "Surface":
        """A random member of the family."""
        random = np.random.default_rng(seed)
        single = math.exp(random.uniform(math.log(0.004), math.log(0.03)))
        item = random.uniform(0.1, 0.9)
        own = random.uniform(0.0, 0.4)
        return cls(
            own=single * own,
            fixed=single * (1 - own) * (1 - item),
            item=single * (1 - own) * item,
            power=random.uniform(0.88, 1.06),
            width=math.exp(random.uniform(0.0, math.log(5))),
            friction=random.uniform(0.0, 0.05),
            variation=random.uniform(0.03, 0.15),
            outside=random.uniform(0.0005, 0.003),
            most_copies=int(random.choice([4, 6, 100])),
        )

    def seconds(self, batch: int, busy: int) -> float:
        """Service time of a batch with `busy` instances at work, itself included."""
        slowdown = (1 + (busy / self.width) ** 4) ** 0.25 / (1 + self.width**-4) ** 0.25
        shared = (self.fixed + self.item * batch**self.power) * slowdown
        return self.own + shared * (1 + self.friction * (busy - 1))


@dataclass
class SimulatedBench:
    """A bench over a surface; `drift` is the relative error of each measurement as a whole.

    It sheds what is above a rate. `objective` is P95 within the limit where it isn't given.
    """

    surface: Surface
    limit_ms: float
    seed: int
    drift: float = 0.01
    requests: int = 1500
    sheds_above_per_s: float = math.inf
    objective: Objective | None = None
    points: int = 0
    seconds: float = 0.0
    configuration: Configuration = field(default_factory=lambda: Configuration(batch=1, instances=1))

    def configure(self, configuration: Configuration) -> float:
        if configuration.instances > self.surface.most_copies:
            raise RefusedError("out of memory")
        self.configuration = configuration
        return 2.0

    def closed(self, concurrency: int) -> SweepPoint:
        random = self._random()
        speed = random.normal(1, self.drift)
        answered = max(400, 12 * concurrency)
        done = _closed_loop(self.surface, self.configuration, concurrency, answered, speed, random)
        # The second half, when batches have settled.
        seconds = float(done[-1] - done[len(done) // 2])
        rate = (len(done) - 1 - len(done) // 2) / seconds
        self.seconds += float(done[-1])
        latency = latency_summary(np.full(4, concurrency / rate * 1000))
        return SweepPoint(
            concurrency=concurrency, duration_s=seconds, requests=answered, errors=0, rate_per_s=rate, latency=latency
        )

    def point(self, rate: float, purpose: str) -> Point:
        random = self._random()
        speed = random.normal(1, self.drift)
        warm_up = 2 * self.limit_ms / 1000
        duration = self.requests / rate
        arrivals = poisson_arrivals(rate, warm_up + duration, int(random.integers(1 << 30)))
        latencies = 1000 * _open_loop(self.surface, self.configuration, arrivals, speed, random)
        failed = np.zeros(len(arrivals), dtype=bool)
        if self.sheds_above_per_s < math.inf:
            failed = shed(arrivals, self.sheds_above_per_s)
            latencies[failed] = 1.0
        fates, objective, end = (
            Fates(arrivals, failed | (latencies > self.limit_ms), failed),
            self._objective,
            warm_up + duration,
        )
        if purpose != "confirm":
            looks = warm_up + duration * np.linspace(0.1, 0.9, 9)
            end = next((now for now in looks if is_over(fates, objective, warm_up, 0.0, now)), end)
        counted = fates.between(warm_up, end)
        judgement = judge_point(counted.missed, counted.failed, objective)
        answered = latencies[(arrivals >= warm_up) & (arrivals < end) & ~failed]
        self.seconds += end
        return Point(
            number=self.points,
            purpose=purpose,  # type: ignore[arg-type]
            rate_per_s=rate,
            warm_up_s=warm_up,
            duration_s=end - warm_up,
            due=len(counted),
            requests=len(counted),
            errors=int(counted.failed.sum()),
            misses=int(counted.missed.sum()),
            miss_share=judgement.missed.miss_share,
            miss_share_lower=judgement.missed.lower,
            miss_share_upper=judgement.missed.upper,
            kept=judgement.kept,
            certain=judgement.certain,
            latency=latency_summary(answered),
            objective_quantile_ms=float(np.quantile(answered, objective.quantile)),
            send_delay_p95_ms=0.0,
            generator_cpu_ms=0.7,
        )

    @property
    def _objective(self) -> Objective:
        return self.objective or Objective(limit_ms=self.limit_ms)

    def _random(self) -> np.random.Generator:
        self.points += 1
        return np.random.default_rng([self.seed, self.points])


def true_rate(surface: Surface, configuration: Configuration, limit_ms: float, requests: int = 20_000) -> float:
    """The highest rate at which 95 % of a long run are within the limit, to 0.5 %; 0 when the server refuses."""
    if configuration.instances > surface.most_copies:
        return 0.0
    high = configuration.instances * configuration.batch / surface.seconds(configuration.batch, configuration.instances)
    low = 0.02 * high
    while high / low > 1.005:
        rate = math.sqrt(low * high)
        arrivals = poisson_arrivals(rate, requests / rate, 1)
        latencies = _open_loop(surface, configuration, arrivals, 1.0, np.random.default_rng(2))
        kept = float((latencies[requests // 20 :] > limit_ms / 1000).mean()) <= 0.05
        low, high = (rate, high) if kept else (low, rate)
    return low


def _open_loop(
    surface: Surface, configuration: Configuration, arrivals: np.ndarray, speed: float, random: np.random.Generator
) -> np.ndarray:
    """Latency in seconds of each request, shape [n]."""
    free = [0.0] * configuration.instances
    noise = random.lognormal(0, surface.variation, len(arrivals)) * speed
    due = arrivals.tolist()
    latencies, at, count = [], 0, len(due)
    wanted = (configuration.preferred or (configuration.batch,))[-1]
    delay = configuration.delay_us / 1e6
    while at < count:
        start = max(heapq.heappop(free), due[at])
        if wanted > 1 and delay:
            filled = due[at + wanted - 1] if at + wanted <= count else math.inf
            start = max(start, min(filled, due[at] + delay))
        end = at + 1
        while end < count and end - at < configuration.batch and due[end] <= start:
            end += 1
        if wanted <= end - at:
            end = at + wanted
        busy = 1 + sum(moment > start for moment in free)
        done = start + surface.seconds(end - at, busy) * noise[at]
        heapq.heappush(free, done)
        latencies.extend(done - moment + surface.outside for moment in due[at:end])
        at = end
    return np.array(latencies)


def _closed_loop(
    surface: Surface,
    configuration: Configuration,
    concurrency: int,
    answered: int,
    speed: float,
    random: np.random.Generator,
) -> np.ndarray:
    """Moments at which requests were answered, ascending; every answer is followed by a new request."""
    free = [0.0] * configuration.instances
    queue = [0.0] * concurrency
    moments: list[float] = []
    while len(moments) < answered:
        start = max(heapq.heappop(free), queue[0])
        size = 0
        while size < len(queue) and size < configuration.batch and queue[size] <= start:
            size += 1
        busy = 1 + sum(moment > start for moment in free)
        done = start + surface.seconds(size, busy) * random.lognormal(0, surface.variation) * speed
        heapq.heappush(free, done)
        for _ in range(size):
            heapq.heappop(queue)
            heapq.heappush(queue, done + surface.outside)
        moments.extend([done] * size)
        queue.sort()
    return np.sort(np.array(moments))
