"""The report says what the results say, in every case that can occur."""

import re
from typing import Any

import matplotlib.pyplot as plt
import pytest
from run_headers import header

from slo_tuner.ladder.plots import ladder_plot, latency_plot
from slo_tuner.ladder.sequence_plot import has_lengths, lines
from slo_tuner.ladder.table import ladder_table
from slo_tuner.report.page import headline, notes, render_report
from slo_tuner.results.schema import Latency, ModelResult, Point, Results, ServerStages, SweepPoint
from slo_tuner.slo.objective import Objective

_LATENCY = Latency(mean_ms=30, p50_ms=25, p90_ms=60, p95_ms=80, p99_ms=95, max_ms=120)
_STAGES = ServerStages(
    requests=100, queue_ms=5, compute_input_ms=1, compute_infer_ms=20, compute_output_ms=1, batch_size=1.5
)


def _point(rate: float, **changes: Any) -> Point:
    facts = {
        "number": 1,
        "purpose": "confirm",
        "rate_per_s": rate,
        "warm_up_s": 1,
        "duration_s": 10,
        "due": 100,
        "requests": 100,
        "errors": 0,
        "misses": 4,
        "miss_share": 0.04,
        "miss_share_lower": 0.01,
        "miss_share_upper": 0.08,
        "kept": True,
        "certain": False,
        "latency": _LATENCY,
        "objective_quantile_ms": 80,
        "send_delay_p95_ms": 1,
        "generator_cpu_ms": 0.7,
        "server": _STAGES,
    }
    return Point.model_validate(facts | changes)


def _model(name: str, rate: float | None, **changes: Any) -> ModelResult:
    facts: dict[str, Any] = {
        "model": name,
        "rate_per_s": rate,
        "missed_per_s": (rate or 1.0) * 1.03,
        "unloaded_ms": 20.0,
        "points": [_point(rate or 1.0, kept=rate is not None)] * 3,
    }
    return ModelResult.model_validate(facts | changes)


def _results(*models: ModelResult, complete: bool = True) -> Results:
    return Results(
        run=header(),
        objective=Objective(),
        objective_source="asked for",
        request_megabytes={model.model: 0.602 for model in models},
        models=models,
        complete=complete,
    )


def test_the_headline_compares_the_best_with_the_original() -> None:
    results = _results(_model("original", 10.0), _model("slow", 8.0), _model("fast", 52.0))
    assert headline(results) == (
        "fast keeps p95<=100ms up to 52.0 requests per second, 5.2 times what original keeps (10.0)."
    )


def test_no_ratio_is_claimed_against_a_baseline_that_missed() -> None:
    results = _results(_model("original", None), _model("fast", 52.0))
    assert headline(results) == "fast keeps p95<=100ms up to 52.0 requests per second."
    assert "times" not in headline(results)


@pytest.mark.parametrize(
    ("original", "fast", "ratio", "said"),
    [
        (False, False, "5.20", "up to 52.0 requests per second, 5.2 times what original keeps (10.0)."),
        (True, False, "<= 5.20", "up to 52.0 requests per second, at most 5.2 times what original keeps (10.0)."),
        (
            False,
            True,
            ">= 5.20",
            "up to 52.0 requests per second or more, at least 5.2 times what original keeps (10.0).",
        ),
        (True, True, "not known", "up to 52.0 requests per second or more."),
    ],
)
def test_a_ratio_to_or_of_a_rate_that_the_load_set_is_no_more_than_a_bound(
    original: bool, fast: bool, ratio: str, said: str
) -> None:
    models = (_model("original", 10.0, generator_limited=original), _model("fast", 52.0, generator_limited=fast))
    results = _results(*models)
    assert headline(results) == f"fast keeps p95<=100ms {said}"
    assert list(ladder_table(results).columns[2].cells) == ["1.00", ratio]
    page_ratio = ratio.replace(">=", "≥").replace("<=", "≤")
    assert f"<td>{page_ratio}</td>" in render_report(results)


_TRACE = {"purpose": "trace", "duration_s": 600.0, "requests": 2400}


@pytest.mark.parametrize(
    ("point", "kept", "said"),
    [
        (
            {"purpose": "single"},
            True,
            "m keeps p95<=100ms at 4.0 requests per second, the one rate that was asked for.",
        ),
        (
            {"purpose": "single"},
            False,
            "m misses p95<=100ms at 4.0 requests per second, the one rate that was asked for.",
        ),
        (_TRACE, True, "m keeps p95<=100ms over the trace: 2400 requests in 600 s, 4.0 a second on average."),
        (_TRACE, False, "m misses p95<=100ms over the trace: 2400 requests in 600 s, 4.0 a second on average."),
    ],
)
def test_a_rate_or_a_trace_that_was_asked_for_is_not_called_the_highest_rate(
    point: dict[str, Any], kept: bool, said: str
) -> None:
    points = [_point(4.0, **point, kept=kept)]
    results = _results(_model("m", 4.0 if kept else None, missed_per_s=None if kept else 4.0, points=points))
    assert headline(results) == said
    page = render_report(results)
    assert "up to" not in page and "Highest" not in page and "no highest one was searched for" in page
    assert not str(ladder_table(results).title).startswith("Highest")


def test_no_number_is_rounded_to_the_other_side_of_the_objective() -> None:
    latency = _LATENCY.model_copy(update={"p95_ms": 100.04})
    missed = {"kept": False, "miss_share": 0.0502, "objective_quantile_ms": 100.04, "latency": latency}
    page = render_report(_results(_model("m", 5.0, points=[_point(5.0, **missed, misses=502, requests=10000)])))
    assert "5.02 %" in page and ">5.0 %" not in page
    assert "<td>100.04</td>" in page and ">100.0</td>" not in page and ">100</td>" not in page


def test_a_slow_model_has_a_rate_that_is_not_nothing() -> None:
    results = _results(_model("m", 0.04))
    assert headline(results) == "m keeps p95<=100ms up to 0.04 requests per second."
    assert "0.04" in list(ladder_table(results).columns[1].cells) and ">0.0<" not in render_report(results)


def test_nothing_met_is_a_result() -> None:
    results = _results(_model("original", None), _model("fast", None))
    assert headline(results).startswith("No model keeps p95<=100ms")
    assert "not met" in render_report(results)


@pytest.mark.parametrize(
    "sweep", [(), (SweepPoint(concurrency=1, duration_s=1, requests=9, errors=0, rate_per_s=9, latency=_LATENCY),)]
)
def test_the_page_has_a_plot_for_each_part_that_was_measured(sweep: tuple[SweepPoint, ...]) -> None:
    page = render_report(_results(_model("original", 10.0, sweep=sweep)))
    assert page.count("<figure>") == 3 + len(sweep) and page.count("<svg") == 2 * page.count("<figure>")
    assert "A &lt;title&gt;" in page


def test_a_page_is_made_without_server_metrics() -> None:
    page = render_report(_results(_model("original", 10.0, points=[_point(10.0, server=None)])))
    assert "Where the time goes" not in page


def test_what_limits_the_trust_is_said_first() -> None:
    random = {"pretrained": False, "weights": "random:42"}
    invalid = [_point(10.0), _point(11.0, invalid_reason="the load generator sent late")]
    model = _model("original", 10.0, generator_limited=True, manifest=random, points=invalid)
    said = "\n".join(notes(_results(model, complete=False)))
    for expected in ("ended early", "random:42", "mean nothing", "may be higher", "1 point(s) were invalid"):
        assert expected in said


@pytest.mark.parametrize("enabled", [True, False])
def test_a_response_cache_is_said(enabled: bool) -> None:
    model = _model("original", 10.0, server_config={"response_cache": {"enable": True}} if enabled else {})
    said = any(note.startswith("original: its response cache is on") for note in notes(_results(model)))
    assert said is enabled


def test_a_single_rate_counts_as_its_own_confirmation() -> None:
    model = _model("original", 10.0, points=[_point(10.0, purpose="single")])
    assert len(model.confirmations) == 1
    assert "original" in render_report(_results(model))


def test_void_repeats_do_not_count_as_confirmations() -> None:
    points = [_point(10.0), _point(10.0, invalid_reason="late")]
    assert len(_model("original", 10.0, points=points).confirmations) == 1


@pytest.mark.slow
def test_the_same_results_give_the_same_page() -> None:
    results = _results(_model("original", 10.0))
    assert render_report(results) == render_report(results)


def _of_length(name: str, rate: float | None, length: int, **changes: Any) -> ModelResult:
    inputs = [{"name": name, "data_type": "TYPE_INT32", "dims": [str(length)]} for name in ("input_ids", "mask")]
    manifest = {"model": "bert", "engine": "onnxruntime", "precision": "int8"}
    return _model(name, rate, server_config={"input": inputs}, manifest=manifest, **changes)


def test_models_that_differ_in_length_alone_are_one_line() -> None:
    models = (_of_length("long", 8.0, 384), _of_length("short", 90.0, 64), _model("image", 3.0))
    (line,) = lines(_results(*models))
    assert (line[0], [model.model for model in line[1]]) == ("bert onnxruntime int8", ["short", "long"])
    assert "Sequence length" in render_report(_results(*models))


def test_a_single_length_needs_no_picture() -> None:
    images = {"input": [{"name": "image", "data_type": "TYPE_FP32", "dims": ["224", "224", "3"]}]}
    results = _results(_of_length("long", 8.0, 384), _model("image", 3.0, server_config=images))
    assert not has_lengths(results) and "Sequence length" not in render_report(results)


def test_a_length_that_kept_no_objective_has_no_rate() -> None:
    page = render_report(_results(_of_length("long", None, 384), _of_length("short", 90.0, 64)))
    assert "Sequence length" in page


@pytest.mark.parametrize(("quantile", "name"), [(0.99, "P99"), (0.999, "P99.9"), (0.9, "P90")])
def test_the_page_and_the_table_name_the_quantile_of_the_objective(quantile: float, name: str) -> None:
    results = _results(_model("original", 10.0, points=[_point(10.0, objective_quantile_ms=77.7)] * 3))
    results = results.model_copy(update={"objective": Objective(quantile=quantile)})
    page = render_report(results)
    assert f"<th>{name} in the repeats, ms</th>" in page
    if quantile != 0.99:  # which has its column anyway
        assert f"<th>{name}</th>" in page and "<td>77.7</td>" in page
    assert ladder_table(results).columns[3].header == f"{name} ms"


def test_the_page_names_the_proxy_that_the_load_went_through() -> None:
    results = _results(_model("original", 10.0))
    assert "proxy" not in render_report(results)
    proxied = results.model_copy(update={"run": header(proxy="proxy.example:3128")})
    assert "through the proxy proxy.example:3128" in render_report(proxied)


_COLOR = re.compile(r"(?:fill|stroke): (#[0-9a-f]{6})")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kept", "tuned", "tiers", "a sweep", "a fleet"])
def test_every_plot_is_there_for_a_telephone_and_has_the_colours_of_the_page(name: str) -> None:
    """At 400 pixels words have 11 at least; black lines and white grounds follow the page, in the dark, too."""
    from outcomes import OUTCOMES

    page = render_report(OUTCOMES[name]())
    narrow = re.findall(r'<div class="narrow"><svg.*?width="([\d.]+)pt"', page, re.S)
    assert narrow and len(narrow) == page.count('<div class="wide">')
    for points in narrow:
        # Words of 10 points, beside the page's margins of 16 pixels.
        assert 10 * (400 - 2 * 16) / float(points) >= 11, points
    drawn = page[page.index("</style>") :]
    fixed = {color for color in _COLOR.findall(drawn) if color in ("#ffffff", "#000000", "#1d2329", "#e6e9ec")}
    assert not fixed
    named = set(re.findall(r"var\((--plot-[0-9a-f]{6})\)", drawn))
    light, dark = page[: page.index("prefers-color-scheme")], page[page.index("prefers-color-scheme") :]
    assert named and all(f"{color}:" in light and f"{color}:" in dark for color in named)


def test_a_plot_tells_every_name_and_every_number_whole() -> None:
    """Matplotlib leaves names with an underscore out of legends, and puts factors of large numbers into a corner."""
    long = "long_" * 40
    results = _results(_model("_hidden", 0.01), _model(long, 1e6), _model("$x_{2}$", 50.0))
    latency, ladder = latency_plot(results), ladder_plot(results)
    for figure in (latency, ladder):
        figure.canvas.draw()
    (axes,) = latency.axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names[0].endswith("_hidden") and names[2] == "$x_{2}$"
    assert names[1].count("\n") == 2 and names[1].endswith("…") and max(map(len, names[1].split("\n"))) <= 40
    assert "1000000" in [text.get_text() for text in axes.get_xticklabels()]
    (bars,) = ladder.axes
    assert not bars.xaxis.get_offset_text().get_text()
    for figure in (latency, ladder):
        plt.close(figure)
