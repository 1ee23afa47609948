"""Whether the machine was the measurement's own, in sentences: for the headline, the notes, and how it was measured."""

from collections.abc import Iterator

from ..results.schema import Disturbance, ModelResult, Results
from ..sweep.record import SweepResults
from ..tiers.record import TierResults
from ..tuning.record import TuningResults


def disturbed_sentence(*models: ModelResult | None) -> str:
    """What disturbed the results that a headline is about, with a space before it; empty where nothing did."""
    named = {m.model: m.disturbed for m in models if m is not None and m.disturbed}
    if not named:
        return ""
    if len(set(named.values())) == 1 or len(named) == 1:
        return f" Disturbed: {next(iter(named.values()))}."
    return f" Disturbed: {'; '.join(f'{model}: {text}' for model, text in named.items())}."


def disturbed_notes(results: Results) -> list[str]:
    """Which models were disturbed, and where points were measured again because of it."""
    said = []
    for model in results.models:
        if model.disturbed:
            said.append(f"{model.model}: disturbed: {model.disturbed}, and did so whenever it was measured again.")
        repeated = sum(point.repeated for point in model.points)
        if repeated:
            said.append(f"{model.model}: {repeated} disturbed point(s) were measured again, and don't count.")
        if model.unloaded_disturbance is not None and model.unloaded_disturbance.disturbed:
            said.append(f"{model.model}: the unloaded latency was disturbed: {model.unloaded_disturbance}.")
        throttled = max((p.disturbance.throttled_share or 0.0 for p in model.points if p.disturbance), default=0.0)
        if throttled >= 0.01:
            said.append(
                f"{model.model}: the CPU limit of the cgroup stopped it in up to {100 * throttled:.0f} % of its "
                "periods: the limit is a part of what was measured."
            )
    return said


def machine_sentence(results: Results) -> str:
    """What else ran on the machines, as far as it is known."""
    found = list(_disturbances(results))
    foreign = [one.foreign_cores for one in found if one.foreign_cores is not None]
    sentences = []
    if foreign:
        cores = max(one.cores for one in found)
        sentences.append(
            f"Other programs took {sum(foreign) / len(foreign):.2f} of {cores:g} cores on average over the points, "
            f"{max(foreign):.2f} at most."
        )
    stolen = max((one.stolen_cores for one in found), default=0.0)
    if stolen >= 0.005:
        sentences.append(f"The host took up to {stolen:.2f} cores.")
    frequencies = [one.frequency_mhz for one in found if one.frequency_mhz is not None]
    if frequencies:
        sentences.append(f"The processors ran at {min(frequencies):.0f} to {max(frequencies):.0f} MHz.")
    if results.run.server.machine is None:
        sentences.append(
            "What else ran on the server's machine is not known."
            if foreign
            else "What else ran on the machines of the load and of the server is not known."
        )
    elif not foreign:
        sentences.append("What else ran on the machine is not known.")
    return " ".join(sentences)


def _disturbances(results: Results) -> Iterator[Disturbance]:
    """Of every point that was watched."""
    points: list[object] = [p for m in results.models for p in (*m.sweep, *m.points)]
    if isinstance(results, TuningResults):
        points = [p for t in results.tuning.trials for p in (t.saturation, *t.points)]
    elif isinstance(results, SweepResults):
        points = [p for t in results.sweep.targets for one_round in t.rounds for p in one_round]
    elif isinstance(results, TierResults):
        points = [run[0] for s in results.tiers.scenarios for run in (s.tiers, s.control)]
    for point in points:
        disturbance = getattr(point, "disturbance", None)
        if isinstance(disturbance, Disturbance):
            yield disturbance
