"""Whether new results are worse than old ones: error shares over simulated servers, and what can't be compared."""

import json
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from run_headers import header
from simulated_server import SimulatedServer, true_capacity

from command_line.environment import Machine
from slo_tuner.cli import main
from slo_tuner.report.compare import compare
from slo_tuner.results.file import write_results
from slo_tuner.results.schema import (
    ClientAccess,
    Latency,
    ModelResult,
    Point,
    RequestsSent,
    Results,
    ServerFacts,
    Spread,
)
from slo_tuner.slo.objective import Objective
from slo_tuner.slo.rate_interval import Edge, Verdict, edge_of, ratio_of
from slo_tuner.slo.rate_search import Limits, search

SERVICE_S, LIMIT_MS = 0.012, 100.0
OBJECTIVE = Objective(limit_ms=LIMIT_MS)
LATENCY = Latency(mean_ms=1, p50_ms=1, p90_ms=1, p95_ms=1, p99_ms=1, max_ms=1)


@dataclass(frozen=True)
class Measured:
    """A search on a simulated server: the rate that it found, and its points."""

    rate_per_s: float
    server: SimulatedServer

    @property
    def edge(self) -> Edge:
        found = edge_of(self.server.points, OBJECTIVE, self.rate_per_s)
        assert found is not None
        return found


@cache
def measured(slower: float, seed: int, seconds: float = 30.0) -> Measured:
    """A search with points of so many seconds on a server that takes `slower` times as long for each request."""
    service_s = SERVICE_S * slower
    server = SimulatedServer(service_s, LIMIT_MS, seed, seconds=seconds)
    found = search(server.measure, Limits(0.85 / service_s, 0.02 / service_s, OBJECTIVE))
    assert found.rate_per_s is not None
    return Measured(found.rate_per_s, server)


def shares(slower: float, within: float, searches: int, seconds: float = 30.0) -> dict[Verdict, float]:
    """How often each verdict comes of all pairs of searches on the one server and on the slower one."""
    old = [measured(1.0, seed, seconds).edge for seed in range(searches)]
    new = [measured(slower, 1000 + seed, seconds).edge for seed in range(searches)]
    found = [ratio_of(after, before).verdict(within) for before, after in product(old, new)]
    return {verdict: found.count(verdict) / len(found) for verdict in Verdict}


@pytest.mark.slow
def test_a_server_that_is_as_much_slower_as_is_allowed_is_called_worse_in_one_of_twenty_cases() -> None:
    """At the margin itself both verdicts are false alarms: each has a share of 5 %, here with that of 40 x 40 pairs."""
    slower = 1.05
    ratio = true_capacity(SERVICE_S * slower, LIMIT_MS) / true_capacity(SERVICE_S, LIMIT_MS)
    found = shares(slower, within=1 - ratio, searches=40)
    assert found[Verdict.WORSE] <= 0.10 and found[Verdict.NOT_WORSE] <= 0.10, found


@pytest.mark.slow
def test_the_same_server_is_hardly_ever_called_worse_and_one_that_is_a_tenth_slower_hardly_ever_not() -> None:
    same, slower = shares(1.0, within=0.03, searches=25), shares(1.12, within=0.03, searches=25)
    assert same[Verdict.WORSE] <= 0.01 and same[Verdict.NOT_WORSE] >= 0.35, same
    assert slower[Verdict.NOT_WORSE] <= 0.01 and slower[Verdict.WORSE] >= 0.9, slower


@pytest.mark.slow
def test_longer_points_leave_fewer_cases_open() -> None:
    short, long = shares(1.0, 0.03, searches=15, seconds=30.0), shares(1.0, 0.03, searches=15, seconds=120.0)
    assert long[Verdict.UNKNOWN] < short[Verdict.UNKNOWN] and long[Verdict.NOT_WORSE] >= 0.6, (short, long)


def test_the_error_of_a_rate_is_as_large_as_rates_differ() -> None:
    edges = [measured(1.0, seed).edge for seed in range(12)]
    spread = max(edge.rate_per_s for edge in edges) / min(edge.rate_per_s for edge in edges) - 1
    typical = sum(edge.log_error for edge in edges) / len(edges)
    assert 1.5 * typical < spread < 7 * typical  # the range of twelve is 3.3 standard deviations in the mean


def test_failures_that_end_a_rate_before_misses_do_decide() -> None:
    """A server that sheds above 100 requests a second is compared by its share of failures."""
    objective = Objective(limit_ms=100.0, error_share=0.001)
    edges = []
    for seed, sheds in ((1, 100.0), (2, 80.0)):
        server = SimulatedServer(0.001, 100.0, seed, seconds=60.0, sheds_above_per_s=sheds, objective=objective)
        found = search(server.measure, Limits(300.0, 0.5, objective))
        assert found.rate_per_s is not None
        edge = edge_of(server.points, objective, found.rate_per_s)
        assert edge is not None
        edges.append(edge)
    assert ratio_of(edges[1], edges[0]).verdict(0.03) is Verdict.WORSE


def _points(slower: float, seed: int) -> tuple[float, tuple[Point, ...]]:
    one = measured(slower, seed, 60.0)
    points = tuple(
        Point(
            number=number,
            purpose=point.purpose or "bracket",  # type: ignore[arg-type]
            rate_per_s=point.rate_per_s,
            warm_up_s=1.0,
            duration_s=point.seconds,
            due=point.requests,
            requests=point.requests,
            errors=point.errors,
            misses=point.misses,
            miss_share=point.misses / point.requests,
            miss_share_lower=0.0,
            miss_share_upper=1.0,
            kept=point.kept,
            certain=True,
            latency=LATENCY,
            objective_quantile_ms=50.0,
            send_delay_p95_ms=0.0,
            generator_cpu_ms=0.1,
        )
        for number, point in enumerate(one.server.points)
    )
    return one.rate_per_s, points


def model(name: str = "m", slower: float = 1.0, seed: int = 1, **changes: Any) -> ModelResult:
    """The result of a model on a simulated server."""
    rate, points = _points(slower, seed)
    return ModelResult(**{"model": name, "rate_per_s": rate, "points": points, **changes})


def results(*models: ModelResult, run: dict[str, Any] | None = None, **changes: Any) -> Results:
    """Results of these models."""
    facts: dict[str, Any] = {
        "run": header(**(run or {})),
        "objective": OBJECTIVE,
        "objective_source": "asked for",
        "request_megabytes": {one.model: 0.6 for one in models},
        "models": models,
    }
    return Results(**facts | changes)


def _verdict(old: Results, new: Results, within: float = 0.06) -> tuple[Verdict, str]:
    (found,) = compare(old, new, [], within).models
    return found.verdict, found.reason


def test_verdicts_of_like_results() -> None:
    old = results(model())
    assert _verdict(old, results(model(seed=2))) == (Verdict.NOT_WORSE, "")
    assert _verdict(old, results(model(seed=2, slower=1.3))) == (Verdict.WORSE, "")
    verdict, reason = _verdict(old, results(model(seed=2)), within=0.0)
    assert verdict is Verdict.UNKNOWN and "a longer --effort tells more, or --within" in reason


GPU = Machine(cpu="A CPU", cpu_cores=2, gpus=("NVIDIA H100, 80 GB, 570",))
OTHER_DRIVER = Machine(cpu="A CPU", cpu_cores=2, gpus=("NVIDIA H100, 80 GB, 580",), kernel="7")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"objective": Objective(limit_ms=50.0)}, "another objective: OLD p95<=100ms, NEW p95<=50ms"),
        ({"run": {"protocol": "http"}}, "another protocol: OLD grpc, NEW http"),
        (
            {"run": {"server": ServerFacts(machine=GPU)}},
            "another machine: OLD A CPU, 2 cores, NEW A CPU, 2 cores, NVIDIA",
        ),
        ({"run": {"server": ServerFacts()}}, "another machine: OLD A CPU, 2 cores, NEW unknown (--server-machine)"),
        ({"run": {"access": ClientAccess(tls=True)}}, "another way: OLD no TLS, NEW TLS"),
        ({"run": {"access": ClientAccess(retries=True)}}, "requests sent again by gRPC's retry policy"),
        ({"run": {"proxy": "p:1"}}, "another proxy: OLD none, NEW p:1"),
        ({"request_megabytes": {"m": 0.3}}, "other requests: OLD 0.6 MB, NEW 0.3 MB each"),
        (
            {"requests": {"m": RequestsSent(source="a", rows=9, megabytes=Spread(least=1, median=1, most=1))}},
            "other requests: OLD no rows, NEW 9 rows of examples",
        ),
    ],
)
def test_what_makes_results_incomparable_is_named(changes: dict[str, Any], reason: str) -> None:
    new = results(model(seed=2, slower=1.5), **changes)
    verdict, said = _verdict(results(model()), new)
    assert verdict is Verdict.UNKNOWN and reason in said, said


def test_another_driver_or_kernel_may_be_what_is_compared() -> None:
    old, new = ({"server": ServerFacts(machine=machine)} for machine in (GPU, OTHER_DRIVER))
    assert _verdict(results(model(), run=old), results(model(seed=2), run=new))[0] is Verdict.NOT_WORSE


@pytest.mark.parametrize("field", ["disturbed", "generator_limited"])
def test_a_disturbance_leaves_only_the_verdict_that_it_makes_harder(field: str) -> None:
    marked = (
        {"disturbed": "other programs took 0.4 of 2 cores"} if field == "disturbed" else {"generator_limited": True}
    )
    old, same, slower = model(), model(seed=2), model(seed=2, slower=1.3)
    assert _verdict(results(old), results(same.model_copy(update=marked)))[0] is Verdict.NOT_WORSE
    assert _verdict(results(old), results(slower.model_copy(update=marked)))[0] is Verdict.UNKNOWN
    assert _verdict(results(old.model_copy(update=marked)), results(slower))[0] is Verdict.WORSE
    assert _verdict(results(old.model_copy(update=marked)), results(same))[0] is Verdict.UNKNOWN


NONE = {"rate_per_s": None, "lowest_tried_per_s": 1.5}


@pytest.mark.parametrize(
    ("old", "new", "verdict", "reason"),
    [
        ({}, NONE, Verdict.WORSE, "NEW missed the objective even at 1.5 requests/s"),
        ({}, {**NONE, "lowest_tried_per_s": 500.0}, Verdict.UNKNOWN, "NEW was not tried at a rate below that of OLD"),
        ({}, {**NONE, "generator_limited": True}, Verdict.UNKNOWN, "the load generator, not the server, was the limit"),
        (NONE, {}, Verdict.NOT_WORSE, "OLD kept the objective at no rate"),
        (NONE, NONE, Verdict.UNKNOWN, "neither kept the objective at any rate"),
        ({}, {"failure": "no memory"}, Verdict.UNKNOWN, "NEW could not be measured: no memory"),
        ({"points": ()}, {}, Verdict.UNKNOWN, "OLD has too few points around its rate"),
    ],
)
def test_models_without_a_rate(old: dict[str, Any], new: dict[str, Any], verdict: Verdict, reason: str) -> None:
    found, said = _verdict(results(model(**old)), results(model(seed=2, **new)))
    assert found is verdict and reason in said, said


def test_one_rate_alone_finds_no_highest_one() -> None:
    rate, points = _points(1.0, 1)
    single = ModelResult(model="m", rate_per_s=rate, points=(points[0].model_copy(update={"purpose": "single"}),))
    assert "measurement at one rate" in _verdict(results(single), results(model()))[1]
    missed = points[0].model_copy(update={"purpose": "trace", "kept": False})
    trace = ModelResult(model="m", missed_per_s=rate, points=(missed,))
    assert "measurement of a trace (--trace)" in _verdict(results(trace), results(model()))[1]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Old results of a, b and gone; new ones in which b is slower, and added."""
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    write_results(results(model("a"), model("b", seed=3), model("gone", seed=4)), old)
    write_results(results(model("a", seed=2), model("b", seed=5, slower=1.3), model("added", seed=4)), new)
    return str(old), str(new)


def test_the_exit_code_is_a_gate(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    margin = "--within=6%"
    assert main(["compare", *files, "--model=a", margin]) == 0
    assert "NEW is not worse than OLD" in capsys.readouterr().out
    assert main(["compare", *files, margin]) == 3
    said = capsys.readouterr().out
    assert "NEW is worse than OLD" in said and "only in OLD, or not asked for: gone" in said
    assert main(["compare", *files, "--model=a", "--within=0%"]) == 4
    assert main(["compare", *files, "--model=gone=added", margin]) == 0
    assert "gone -> added" in capsys.readouterr().out


def test_json_says_what_the_table_says(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *files, "--within=6%", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "worse" and found["within"] == 0.06
    assert [(one["model"], one["verdict"]) for one in found["models"]] == [("a", "not worse"), ("b", "worse")]
    assert found["models"][1]["ratio"]["upper"] < 0.94


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--within=-1%"], "within: '-1%' is not allowed; give the share that a rate may be lower, from 0% to 50%"),
        (["--within=nan"], "within: 'nan' is not allowed"),
        (["--model=x"], "model: 'x' is not allowed; OLD has a, b, gone"),
        (["--model=a=x"], "model: 'x' is not allowed; NEW has a, b, added"),
        (["--model=a="], "model: 'a=' is not allowed; write NAME, or OLD_NAME=NEW_NAME"),
    ],
)
def test_a_wrong_option_of_compare_is_named(
    arguments: list[str], message: str, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *files, *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"slo-tuner: error: {message}")


def test_a_file_that_is_no_results_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path / "none"), str(tmp_path / "none")]) == 2
    assert "none cannot be read: No such file" in capsys.readouterr().err
