"""What weakens measured capacities, and the dollars that are computed from them, in sentences."""

from collections.abc import Sequence

from command_line.environment import Machine

from ..cost.prices import Offer
from ..results.schema import Results
from ..slo.objective import Objective
from .measured import Measured


def capacity_notes(
    measured: Measured, sources: Sequence[tuple[Results, Offer]], others: Sequence[Measured], objective: Objective
) -> list[str]:
    """Notes about the Pod of the fleet, the machines of all results and their prices, and the Pods beside it.

    `objective` is the fleet's: that of the results which its Pod is from.
    """
    notes = list(dict.fromkeys(_machine_note(results, offer) for results, offer in sources))
    for results in (results for results, _ in sources if results.objective != objective):
        notes.append(
            f"{', '.join(model.model for model in results.models)}: measured within another objective, "
            f"{results.objective}: what they cost can't be compared."
        )
    if measured.disturbed:
        notes.append(f"The capacity of {measured.model} was measured disturbed ({measured.disturbed}): measure again.")
    if measured.at_least:
        notes.append(f"The load generator set the capacity of {measured.model}: a Pod may serve more.")
    beside = [other for other in others if other != measured]
    if disturbed := [other.model for other in beside if other.disturbed]:
        notes.append(f"Measured disturbed, too: {', '.join(disturbed)}.")
    if limited := [other.model for other in beside if other.at_least]:
        notes.append(f"The load generator set the capacity of {', '.join(limited)}, too.")
    return notes


def _machine_note(results: Results, offer: Offer) -> str:
    """Whether the machine that was measured is the one that is priced, as far as is known."""
    server, machine = results.run.server, results.run.server.machine
    if machine is None and server.machine_name == offer.name:
        return f"The capacity was measured on {offer.name}, as --server-machine said."
    if machine is None and server.machine_name:
        return f"The capacity was measured on {server}; dollars hold where {offer.name} is as fast."
    if machine is None:
        return f"What the capacity was measured on is not known; it is priced as {offer.name}."
    if difference := _difference(machine, offer):
        return (
            f"The capacity was measured on {server} and is priced as {offer.name}, which {difference}: "
            "Pods and dollars mean nothing until it is measured there."
        )
    return f"The capacity was measured on {server}; dollars hold where {offer.name} is as fast."


def _difference(machine: Machine, offer: Offer) -> str:
    """What tells the priced machine from the measured one; empty where nothing does."""
    if not machine.gpus:
        return f"has {offer.gpus} {offer.gpu}" if offer.gpus else ""
    if not offer.gpus:
        return "has no GPU"
    # NVIDIA's names have the price tables' in them: "Tesla T4", "NVIDIA A100-SXM4-80GB".
    if offer.gpu.partition("-")[0].lower() not in machine.gpus[0].partition(",")[0].lower():
        return f"has another GPU ({offer.gpu})"
    if len(machine.gpus) != offer.gpus:
        return f"has {offer.gpus} GPUs where {len(machine.gpus)} were measured"
    return ""
