"""Latency and throughput over the length of sequences, where a run measured models of several lengths."""

from collections.abc import Sequence
from itertools import groupby

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..plot_style import COLORS, NARROW_IN, STYLE, legend_name
from ..results.schema import ModelResult, Results


def sequence_length(model: ModelResult) -> int | None:
    """The length of the sequences that a model takes: the one dimension of each of its inputs; None for others."""
    shapes = {tuple(tensor.get("dims", ())) for tensor in model.server_config.get("input", ())}
    lengths = [int(shape[0]) for shape in shapes if len(shape) == 1]
    return lengths[0] if len(shapes) == len(lengths) == 1 and _takes_numbers(model) else None


def has_lengths(results: Results) -> bool:
    """Whether there is a model whose way of execution was measured at several lengths."""
    return any(len(line) > 1 for _, line in lines(results))


def lines(results: Results) -> list[tuple[str, list[ModelResult]]]:
    """Models that differ in length alone, by increasing length, under the name that they share."""
    taken = [model for model in results.models if sequence_length(model)]
    ordered = sorted(taken, key=lambda model: (_alike(model), sequence_length(model)))
    return [(" ".join(key[:3]).strip(), list(group)) for key, group in groupby(ordered, key=_alike)]


def sequence_plot(results: Results, narrow: bool = False) -> Figure:
    """The unloaded latency, and beside or below it the rate within the objective, over the length in tokens."""
    with plt.rc_context(STYLE):
        rows, size = ((2, 1), (NARROW_IN, 6.4)) if narrow else ((1, 2), (8.2, 3.6))
        figure, (latency, rate) = plt.subplots(*rows, figsize=size, layout="constrained")
        for number, (name, models) in enumerate(lines(results)):
            style = {"color": COLORS[number % len(COLORS)], "marker": "o", "markersize": 4, "label": legend_name(name)}
            latency.plot(*_columns(models, "unloaded_ms"), **style)
            rate.plot(*_columns([model for model in models if model.rate_per_s], "rate_per_s"), **style)
        ticks = sorted({sequence_length(model) or 0 for _, models in lines(results) for model in models})
        for axes, label in ((latency, "unloaded latency, ms"), (rate, "requests per second within the objective")):
            axes.set(xlabel="sequence length, tokens", ylabel=label)
            axes.set_xticks(ticks)
            axes.set_ylim(bottom=0)
        latency.legend(frameon=False, loc="upper left")
        return figure


def _takes_numbers(model: ModelResult) -> bool:
    return all(tensor.get("data_type") in ("TYPE_INT32", "TYPE_INT64") for tensor in model.server_config["input"])


def _alike(model: ModelResult) -> tuple[str, ...]:
    """What models of one line share: network, engine, precision, and how many instances and threads they have."""
    made, config = model.manifest, model.server_config
    instances = (config.get("instance_group") or [{}])[0].get("count", 1)
    threads = config.get("parameters", {}).get("intra_op_thread_count", {}).get("string_value", "0")
    network = str(made.get("model") or model.model)
    return network, str(made.get("engine", "")), str(made.get("precision", "")), str(instances), threads


def _columns(models: Sequence[ModelResult], value: str) -> tuple[list[int], list[float]]:
    return [sequence_length(model) or 0 for model in models], [getattr(model, value) for model in models]
