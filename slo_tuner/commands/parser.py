"""The command line of slo-tuner: its commands and options."""

import argparse
from pathlib import Path
from typing import TypeAlias

from command_line.options import Parser, add_common

from .option_groups import OBJECTIVE, add_load, add_measurement, add_server_program, add_traffic

WITH_RESULTS = ("measure", "ladder", "tune", "sweep", "tiers", "report", "cost", "fleet")
"""The commands with `--json`: they leave a results.json."""
_PRICES = "a price table in place of the package's own"

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def make_parser() -> argparse.ArgumentParser:
    """The parser; each command sets `command`."""
    parser = Parser(
        prog="slo-tuner",
        description="Finds the highest request rate at which models on a Triton server keep a latency objective.",
    )
    add_common(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        _serve,
        _measure,
        _ladder,
        _tune,
        _sweep,
        _tiers,
        _report,
        _worker,
        _cost,
        _compare,
        _fleet,
        _locustfile,
    ):
        add(commands)
    for name in WITH_RESULTS:
        commands.choices[name].add_argument("--json", action="store_true", help="print results.json, not the table")
    return parser


def _serve(commands: Commands) -> None:
    parser = commands.add_parser("serve", help="run the real tritonserver on a model repository until Ctrl-C")
    parser.add_argument("repository", type=Path, help="the model repository")
    parser.add_argument("--load", metavar="MODEL", action="append", default=[], help="load this model (repeatable)")
    for name in ("http", "grpc", "metrics"):
        parser.add_argument(f"--{name}-port", default="0", metavar="PORT", help="0 (default) picks a free port")
    parser.add_argument("--log", type=Path, default=Path("tritonserver.log"), help="log file (default %(default)s)")
    parser.add_argument(
        "--tier-executions",
        metavar="N",
        help="hold tiers: executions of models with a tier that run side by side (default: tiers are ignored)",
    )
    add_server_program(parser)


def _measure(commands: Commands) -> None:
    parser = commands.add_parser("measure", help="measure one model: its highest rate, or one rate")
    parser.add_argument("model", help="the model's name in the repository")
    parser.add_argument("--rate", metavar="REQ_PER_S", help="measure only this offered rate, without a search")
    add_traffic(parser, required=False)
    parser.add_argument("--most-s", default="3600", metavar="S", help="longest trace to send (default %(default)s)")
    parser.add_argument(
        "--most-rate", default="5000", metavar="REQ_PER_S", help="highest rate of a trace to send (default %(default)s)"
    )
    add_measurement(parser)


def _ladder(commands: Commands) -> None:
    parser = commands.add_parser("ladder", help="measure several models in turn, each loaded alone")
    parser.add_argument("--models", metavar="NAME,...", help="which, in this order (default: all of the repository)")
    add_measurement(parser)


def _tune(commands: Commands) -> None:
    parser = commands.add_parser("tune", help="find the configuration of one model that serves the most")
    parser.add_argument("model", help="the model's name in the repository")
    parser.add_argument("--batches", metavar="N,...", help="largest batches to try (default: powers of 2, the model's)")
    parser.add_argument("--instances", metavar="N,...", help="instance counts to try (default: 1 to 8)")
    parser.add_argument(
        "--queue-delays-us",
        metavar="N,...",
        help="queue delays to try, in µs (default: 0, 1, 3 and 10 %% of the limit)",
    )
    parser.add_argument("--total-rate", metavar="REQ_PER_S", help="also say how many Pods serve this rate together")
    parser.add_argument(
        "--machine", metavar="NAME", help="also say what inferences cost on it, such as n1-standard-4+T4"
    )
    parser.add_argument("--prices", type=Path, metavar="FILE", help=_PRICES)
    parser.add_argument("--plan", type=Path, metavar="FILE", help="the model's plan, to complete its new entry from")
    parser.add_argument("--resume", action="store_true", help="go on with the trials in --output's results.json")
    add_measurement(parser)


def _sweep(commands: Commands) -> None:
    parser = commands.add_parser("sweep", help="latency and throughput of one model through one or several addresses")
    parser.add_argument("model", help="the model's name on the server")
    parser.add_argument(
        "--through",
        action="append",
        required=True,
        metavar="NAME=HOST:PORT",
        help="an address of the server, with a name (repeatable; the others are compared with the first)",
    )
    parser.add_argument("--rounds", metavar="N", default="6", help="sweeps through each target (default %(default)s)")
    parser.add_argument("--objective", default="p95<=100ms", help=OBJECTIVE)
    # The server is a running one: the first of the addresses.
    parser.set_defaults(repository=None, tritonserver=None, server_python=None, address=None)
    add_load(parser)


def _tiers(commands: Commands) -> None:
    parser = commands.add_parser("tiers", help="bursts on two models of one server: tier 1 keeps its objective")
    parser.add_argument("tier1", help="the model of tier 1")
    parser.add_argument("tier2", help="the model of tier 2")
    parser.add_argument(
        "--tier2-objective", default="p95<=500ms", help="objective of tier 2 (default %(default)s); --objective: tier 1"
    )
    parser.add_argument(
        "--capacities", metavar="REQ_PER_S,REQ_PER_S", help="what each model serves alone (default: measured first)"
    )
    parser.add_argument("--scenarios", metavar="NAME,...", help="of within, tier-1 and tier-2 (default: all)")
    parser.add_argument("--phase-s", default="20", help="length of a phase, three to a run (default %(default)s)")
    parser.add_argument(
        "--tier-executions",
        metavar="N",
        default="1",
        help="executions side by side on the server of its own (default %(default)s)",
    )
    add_measurement(parser)
    # Requests of an overloaded model are waited for, so that their latency is seen.
    parser.set_defaults(timeout_s="10")


def _report(commands: Commands) -> None:
    parser = commands.add_parser("report", help="make report.html and the table again from results.json")
    parser.add_argument("results", type=Path, help="results.json")
    parser.add_argument(
        "--speed-test", type=Path, metavar="FILE", help="also show the best guesses of this speed-test.json"
    )
    parser.add_argument("--output", type=Path, help="the HTML file (default: report.html beside the results)")


def _worker(commands: Commands) -> None:
    parser = commands.add_parser(
        "worker", help="generate load for the slo-tuner at an address, until it has done its work"
    )
    parser.add_argument(
        "master", metavar="HOST:PORT", help="where that slo-tuner waits for its workers (its --workers-at)"
    )


def _cost(commands: Commands) -> None:
    parser = commands.add_parser("cost", help="what inferences cost at the measured rates, kept with the results")
    parser.add_argument(
        "results", type=Path, nargs="+", metavar="RESULTS", help="results.json; the first gets the costs"
    )
    parser.add_argument(
        "--machine",
        action="append",
        default=[],
        metavar="NAME",
        help="price on it, such as n1-standard-4+T4 (repeatable; with several results one for each, in their order)",
    )
    parser.add_argument("--prices", type=Path, metavar="FILE", help=_PRICES)
    parser.add_argument(
        "--total-rate", default="1000", metavar="REQ_PER_S", help="say how many machines serve it (default %(default)s)"
    )
    parser.add_argument("--headroom", default="20%", help="share of each machine not used (default 20%%)")
    parser.add_argument("--zones", default="3", help="zones, of which one may be lost (default %(default)s)")


def _compare(commands: Commands) -> None:
    parser = commands.add_parser(
        "compare", help="whether new results are worse than old ones: exit code 0 not worse, 3 worse, 4 not known"
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="results.json to compare with")
    parser.add_argument("new", type=Path, metavar="NEW", help="results.json that may be worse")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="only this model, or OLD_NAME=NEW_NAME (repeatable; default: every model of both)",
    )
    parser.add_argument("--within", default="3%", metavar="SHARE", help="how much lower a rate may be (default 3%%)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")


def _fleet(commands: Commands) -> None:
    parser = commands.add_parser("fleet", help="how many Pods serve a traffic trace, when to add them, what they cost")
    parser.add_argument(
        "results", type=Path, nargs="+", metavar="RESULTS", help="results.json of measure, ladder or tune"
    )
    parser.add_argument("--model", metavar="NAME", help="the model that Pods serve (default: the fastest of the first)")
    parser.add_argument(
        "--machine",
        action="append",
        required=True,
        metavar="NAME",
        help="what a Pod runs on, such as n1-standard-4+T4: one for each of the results, in their order",
    )
    parser.add_argument("--prices", type=Path, metavar="FILE", help=_PRICES)
    parser.add_argument("--rate", metavar="REQ_PER_S", help="usual rate of generated traffic, of daily the mean")
    add_traffic(parser, required=True)
    parser.add_argument("--worst-share", metavar="SHARE", help="share late allowed in ten minutes (default: as in all)")
    parser.add_argument("--most-pods", default="1000", metavar="N", help="most Pods of all (default %(default)s)")
    parser.add_argument("--zones", default="3", metavar="N", help="zones of the nodes (default %(default)s)")
    parser.add_argument("--nodes-per-zone", default="1000", metavar="N", help="most of a zone (default %(default)s)")
    for part, what in (("node", "a new node"), ("image", "the image on it"), ("warm-up", "warming up")):
        parser.add_argument(f"--{part}-s", metavar="S", help=f"seconds that {what} takes (default: an assumption)")
    parser.add_argument("--load-s", metavar="S", help="seconds that loading the model takes (default: as measured)")
    parser.add_argument("--idle-s", default="600", metavar="S", help="a node without a Pod stays (default %(default)s)")
    parser.add_argument("--drain-s", default="30", metavar="S", help="a Pod drains (default %(default)s)")
    parser.add_argument(
        "--reclaims-per-hour", default="0", metavar="N", help="how often a spot node is taken in an hour (default 0)"
    )
    parser.add_argument(
        "--balancing",
        default="requests",
        help="requests (default: each to the next Pod) or connections (dealt out by a Service)",
    )
    parser.add_argument("--connections", default="1000", metavar="N", help="how many there are (default %(default)s)")
    parser.add_argument(
        "--connection-age-s", default="300", metavar="S", help="how long one lasts (default %(default)s)"
    )
    parser.add_argument("--tier2-share", metavar="SHARE", help="requests of a tier 2, which is held back first")
    parser.add_argument("--name", default="found", help="names values/fleet-NAME.yaml (default %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("slo-tuner-fleet"), help="folder (default %(default)s)")
    parser.add_argument("--title", default="", help="title of the report")
    parser.add_argument("--quiet", action="store_true", help="print only the final table")


def _locustfile(commands: Commands) -> None:
    commands.add_parser("locustfile", help="print the path of the locustfile, for locust -f")
