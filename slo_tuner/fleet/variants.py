"""What other Pods cost at the trace: the variants of a ladder, and the two machines of the published comparison."""

from collections.abc import Sequence

from ..cost.prices import Offer, usd_per_million
from .measured import scaled
from .pod_queue import PodModel
from .question import Question, Variant
from .record import PublishedRatio, VariantCost
from .settings import ScalingSettings
from .simulator import Simulator

_PUBLISHED = 163.0
"""How many times less an inference costs on n1-standard-4 with a T4 than on n1-standard-96, as Google published it."""
PUBLISHED_MACHINES = ("n1-standard-96", "n1-standard-4+T4")


def variant_cost(question: Question, simulator: Simulator, variant: Variant, scaling: ScalingSettings) -> VariantCost:
    """A variant at the trace, with the settings, and the fewest Pods that suit its capacity."""
    measured, offer = variant.measured, variant.offer
    if (measured, offer) == (question.measured, question.offer):
        (outcome,) = simulator.outcomes(simulator.rough, [scaling])
    else:
        pod = simulator.other(measured.pod, measured.capacity_per_s, offer.usd_per_hour)
        outcome = simulator.with_another(pod, scaling)
    return VariantCost(
        model=measured.model,
        machine=offer.name,
        capacity_per_s=measured.capacity_per_s,
        usd_per_million_full=usd_per_million(offer.usd_per_hour, measured.capacity_per_s),
        usd_per_million_trace=outcome.usd_per_million,
        worst_share=outcome.worst_share,
        mean_pods=float(outcome.pods.mean()),
    )


def published_ratio(
    question: Question, simulator: Simulator, scaling: ScalingSettings, offers: Sequence[Offer]
) -> PublishedRatio | None:
    """The published ratio at the trace, where both machines have a price and the Pod is the GPU machine's.

    The other Pod is the same one, slower in the proportion that the ratio and the prices say, with a limit that is as
    much longer: the published comparison had none.
    """
    if len(offers) != 2 or question.offer.name != offers[1].name:
        return None
    cpu, gpu = offers
    slower = _PUBLISHED * gpu.usd_per_hour / cpu.usd_per_hour
    own = question.measured
    pod = PodModel(own.pod.configuration, scaled(own.pod.service, slower), own.pod.outside_s * slower)
    (rough,) = simulator.outcomes(simulator.rough, [scaling])
    # Its requests wait longer in the same proportion.
    queue_ms = scaling.queue_target_ms and scaling.queue_target_ms * slower
    other = simulator.with_another(
        simulator.other(pod, own.capacity_per_s / slower, cpu.usd_per_hour, slower),
        scaling.model_copy(update={"queue_target_ms": queue_ms}),
    )
    return PublishedRatio(
        full_load=_PUBLISHED,
        trace=other.usd_per_million / rough.usd_per_million,
        cpu_machine=cpu.name,
        gpu_machine=gpu.name,
    )
