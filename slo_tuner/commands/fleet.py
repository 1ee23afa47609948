"""The command `slo-tuner fleet`: measured capacities and a trace become settings, a report and values files."""

import argparse
import datetime
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from command_line.environment import describe_machine, describe_software
from command_line.errors import UsageError
from command_line.exit_codes import ExitCode
from command_line.files import output_folder

from ..capacity.fit import Saturation
from ..cost.prices import Offer, PriceTable
from ..fleet.capacity_notes import capacity_notes
from ..fleet.measured import Measured, measured_pod
from ..fleet.options import FleetOptions, read_fleet_options
from ..fleet.question import Question, Variant, check_possible
from ..fleet.record import FleetResults
from ..fleet.run import Fleet
from ..fleet.settings import StartUp
from ..fleet.text import print_fleet
from ..fleet.values_file import write_values
from ..fleet.variants import PUBLISHED_MACHINES
from ..report.page import write_report
from ..report.read import read_rates
from ..results.file import write_results
from ..results.schema import ModelResult, Results, RunHeader
from ..tuning.evidence import saturations
from ..tuning.record import TuningResults

_ASSUMED_LOAD_S = 10.0


def fleet_command(options: argparse.Namespace, command: Sequence[str]) -> ExitCode:
    """Answer, and write results.json, report.html and the values files."""
    checked = read_fleet_options(options)
    with output_folder(checked.output):
        return _answer(options, checked, command)


def _answer(options: argparse.Namespace, checked: FleetOptions, command: Sequence[str]) -> ExitCode:
    started = time.monotonic()
    sources = [read_rates("results", path) for path in options.results]
    offers = _offers(sources, options.machine, checked.prices)
    main, result = _asked_model(sources, options.results, options.model)
    if result.rate_per_s:
        check_possible(checked.trace, result.rate_per_s, checked.most, checked.nodes)
    measured = _measured(main, result)
    question = _question(checked, main, measured, offers[sources.index(main)])

    def say(text: str) -> None:
        if not options.quiet:
            print(text, file=sys.stderr, flush=True)

    fleet = Fleet(question, say)
    variants = [
        Variant(_measured(source, model), offer)
        for source, offer in zip(sources, offers, strict=True)
        for model in source.models
        if model.rate_per_s and _tells_enough(source, model)
    ]
    others = [one.measured for one in variants]
    notes = capacity_notes(measured, list(zip(sources, offers, strict=True)), others, main.objective)
    record = fleet.answer(variants, notes, _published(checked.prices))
    results = FleetResults(
        run=_header(main.run, shlex.join(["slo-tuner", *command]), options.title or f"A fleet of {measured.model}"),
        objective=main.objective,
        objective_source=main.objective_source,
        request_megabytes={},
        models=tuple(model.model_copy(update={"points": (), "sweep": ()}) for model in main.models),
        wall_s=time.monotonic() - started,
        fleet=record,
    )
    files = write_values(results, checked.output, checked.name)
    write_results(results, checked.output / "results.json")
    write_report(results, checked.output / "report.html")
    print_fleet(record)
    for path in (checked.output / "results.json", checked.output / "report.html", *files.values()):
        print(f"written: {path}")
    return ExitCode.DONE if record.choice("balanced").kept else ExitCode.NOT_KEPT


def _asked_model(sources: Sequence[Results], paths: Sequence[Path], name: str | None) -> tuple[Results, ModelResult]:
    """The model that the fleet serves: the one that was asked for, or the fastest of the first file."""
    if name is None:
        met = [model for model in sources[0].models if model.rate_per_s]
        if not met:
            raise UsageError("results", str(paths[0]), "no model in it has a rate within the objective")
        return sources[0], max(met, key=lambda model: model.rate_per_s or 0.0)
    for source in sources:
        for model in source.models:
            if model.model == name:
                return source, model
    have = ", ".join(model.model for source in sources for model in source.models)
    raise UsageError("model", name, f"the results have {have or 'no models'}")


def _saturations(results: Results, model: ModelResult) -> list[Saturation]:
    """The closed loops of a tuning, which stand in its trials."""
    if not isinstance(results, TuningResults):
        return []
    return [one for trial in results.tuning.trials for one in saturations(trial)]


def _measured(results: Results, model: ModelResult) -> Measured:
    return measured_pod(model, results.objective, _saturations(results, model))


def _tells_enough(results: Results, model: ModelResult) -> bool:
    return model.unloaded_ms is not None and bool(model.sweep or _saturations(results, model))


def _offers(sources: Sequence[Results], machines: Sequence[str], table: PriceTable) -> list[Offer]:
    """The machine of each of the results."""
    if len(machines) != len(sources):
        raise UsageError(
            "machine", ", ".join(machines), f"name the machine of a Pod, one for each of the {len(sources)} results"
        )
    return [table.offer(name) for name in machines]


def _published(table: PriceTable) -> list[Offer]:
    """The two machines of the published comparison, where the table has prices of both."""
    try:
        return [table.offer(name) for name in PUBLISHED_MACHINES]
    except UsageError:
        return []


def _question(checked: FleetOptions, results: Results, measured: Measured, offer: Offer) -> Question:
    load_s = checked.load_s if checked.load_s is not None else measured.load_s
    assumed = () if load_s is not None else (f"the load takes {_ASSUMED_LOAD_S:g} s",)
    objective = results.objective
    return Question(
        measured=measured,
        offer=offer,
        trace=checked.trace,
        objective=objective,
        start_up=StartUp(
            node_s=checked.node_s,
            image_s=checked.image_s,
            load_s=load_s if load_s is not None else _ASSUMED_LOAD_S,
            warm_up_s=checked.warm_up_s,
            load_measured=checked.load_s is None and measured.load_s is not None,
        ),
        assumed=(*checked.assumed, *assumed),
        nodes=checked.nodes,
        requests=checked.requests,
        most=min(checked.most, checked.nodes.most),
        allowed_worst_share=checked.allowed_worst_share or objective.miss_share,
        # As long as the load generator waits for an answer.
        patience_s=max(2.0, 10 * objective.limit_ms / 1000),
    )


def _header(measured: RunHeader, command: str, title: str) -> RunHeader:
    """The run that simulated: its server is the one that was measured."""
    return measured.model_copy(
        update={
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "title": title,
            "command": command,
            "software": describe_software(("numpy", "scipy")),
            "client": describe_machine(),
            "load_workers": 1,
            "proxy": "",
        }
    )
