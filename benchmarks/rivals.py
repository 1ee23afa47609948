"""What the tuner is compared with: brute force and a hill climb, each searching every configuration completely."""

from collections.abc import Callable

from slo_tuner.capacity.configuration import Configuration
from slo_tuner.tuning.space import Space
from slo_tuner.tuning.trial import Candidate, Trial

# A neighbour that gains less is taken for noise.
LEAST_GAIN = 0.01
# Measures a configuration, given the highest saturated rate known so far.
Measure = Callable[[Candidate, float], Trial]


def brute_force(space: Space, measure: Measure) -> Configuration:
    """The configuration of the space with the highest rate."""
    rate = _rates(measure)
    return max(space.configurations(), key=rate)


def hill_climb(space: Space, start: Configuration, measure: Measure) -> Configuration:
    """From the start to the best neighbour (one step in one field) until none is better."""
    rate = _rates(measure)
    here = start
    while True:
        best = max(_neighbours(space, here), key=rate)
        if rate(best) <= rate(here) * (1 + LEAST_GAIN):
            return here
        here = best


def _rates(measure: Measure) -> Callable[[Configuration], float]:
    """The rate of a configuration, measured when it is first asked for."""
    rates: dict[Configuration, float] = {}
    known = 0.0

    def rate(configuration: Configuration) -> float:
        nonlocal known
        if configuration not in rates:
            trial = measure(Candidate(configuration, "leader", "each"), known)
            rates[configuration] = trial.rate_per_s or 0.0
            known = max(known, trial.saturation.rate_per_s if trial.saturation else 0.0)
        return rates[configuration]

    return rate


def _neighbours(space: Space, here: Configuration) -> list[Configuration]:
    found = []
    for name, values in (("batch", space.batches), ("instances", space.instances), ("delay_us", space.delays_us)):
        at = values.index(getattr(here, name))
        found += [here.model_copy(update={name: values[i]}) for i in (at - 1, at + 1) if 0 <= i < len(values)]
    found.append(here.model_copy(update={"preferred": () if here.preferred else (here.batch // 2,)}))
    return list(dict.fromkeys(f.normal() for f in found))
