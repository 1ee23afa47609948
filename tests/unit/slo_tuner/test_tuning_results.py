"""What the tuner hands over: results, report, values file and plan entry say the same."""

from pathlib import Path

import pytest
import yaml
from finished_tuning import SURFACE, finished_tuning, unfinished
from simulated_family import SimulatedBench

from command_line.errors import UsageError
from model_repo_builder.plan.schema import Variant
from slo_tuner.capacity.configuration import Configuration
from slo_tuner.report.page import headline, notes, render_report
from slo_tuner.report.read import read_any_results
from slo_tuner.results.file import write_results
from slo_tuner.slo.objective import Objective
from slo_tuner.tuning.deployment import plan_entry_text, values_text
from slo_tuner.tuning.evidence import TrialHistory
from slo_tuner.tuning.files import write_deployment
from slo_tuner.tuning.path import steps
from slo_tuner.tuning.record import TuningResults
from slo_tuner.tuning.required_workers import generator_need
from slo_tuner.tuning.trial import Trial, TrialObjective

PLAN = Path(__file__).parents[3] / "plans" / "tiny.yaml"
WINNER = Configuration(batch=8, instances=2, delay_us=500, preferred=(4,))


@pytest.fixture(scope="module")
def results() -> TuningResults:
    return finished_tuning()


def test_results_are_read_as_they_were_written(results: TuningResults, tmp_path: Path) -> None:
    write_results(results, tmp_path / "results.json")
    assert read_any_results(tmp_path / "results.json") == results


def test_the_baseline_and_the_winner_are_compared(results: TuningResults) -> None:
    assert [model.model for model in results.models] == ["m as found", "m tuned"]
    tuned = results.models[1]
    assert tuned.rate_per_s == results.tuning.path[-1].rate_per_s
    assert tuned.rate_per_s == results.tuning.deployment.per_pod_per_s  # type: ignore[union-attr]
    assert tuned.unloaded_ms and len(tuned.confirmations) >= 3
    assert "times what m as found keeps" in headline(results)


def test_the_page_shows_the_way_the_surface_and_every_trial(results: TuningResults) -> None:
    page = render_report(results)
    for heading in ("one change at a time", "Response surface", "What follows for a deployment", "Every trial"):
        assert heading in page
    assert page.count("<figure>") == 4
    assert all(str(trial.configuration) in page for trial in results.tuning.trials)


def test_refusals_are_said_first(results: TuningResults) -> None:
    assert "refused by the server" in "\n".join(notes(results))


def test_an_unfinished_tuning_has_a_page_too(results: TuningResults) -> None:
    page = render_report(unfinished(results, 4))
    assert "ended early" in page and "Response surface" not in page


@pytest.mark.slow
def test_a_tuning_without_a_winner_has_a_page_and_no_files(tmp_path: Path) -> None:
    results = finished_tuning(limit_ms=4.0)
    assert "No model keeps" in render_report(results)
    assert write_deployment(results, tmp_path, None) == {}


@pytest.fixture(scope="module")
def limited() -> TuningResults:
    """A tuning whose load generator lagged above 100 requests/s."""

    class Weak(SimulatedBench):
        def point(self, rate: float, purpose: str):  # type: ignore[no-untyped-def]
            point = super().point(rate, purpose)
            return point.model_copy(update={"invalid_reason": "late" if rate > 100 else "", "generator_cpu_ms": 9.0})

    return finished_tuning(bench=Weak(SURFACE, 50.0, seed=1, requests=500))


@pytest.mark.slow
def test_a_weak_generator_is_told_how_many_processes_it_takes(limited: TuningResults) -> None:
    need = limited.tuning.generator
    assert need is not None and need.processes == -(-need.rate_per_s * need.cpu_ms // 600)
    assert f"need {need.processes} processes" in "\n".join(notes(limited))


def test_trials_without_any_open_loop_need_no_stronger_generator() -> None:
    """The first trial of a run may be refused: results are written all the same."""
    refused = Trial(number=1, configuration=WINNER, role="baseline", reason="", status="refused")
    assert generator_need([]) is None
    assert generator_need([refused]) is None


@pytest.mark.slow
def test_a_generator_that_lags_only_where_the_server_misses_makes_no_lower_bound(limited: TuningResults) -> None:
    class Hasty(SimulatedBench):
        def point(self, rate: float, purpose: str):  # type: ignore[no-untyped-def]
            point = super().point(rate, purpose)
            return point.model_copy(update={"invalid_reason": "late" if point.miss_share > 0.3 else ""})

    found = finished_tuning(bench=Hasty(SURFACE, 50.0, seed=1, requests=500))
    assert any(point.invalid for model in found.models for point in model.points)
    assert not any(model.generator_limited for model in found.models) and found.tuning.generator is None
    assert limited.models[-1].generator_limited


@pytest.mark.slow
def test_workers_with_time_left_blame_what_else_runs_on_their_machine(limited: TuningResults) -> None:
    strong = limited.model_copy(update={"run": limited.run.model_copy(update={"load_workers": 64})})
    assert "something else kept their machine busy" in "\n".join(notes(strong))


def test_a_stop_that_was_not_measured_is_no_step_of_the_way() -> None:
    found, passed, goal = (Configuration(batch=b, instances=n) for b, n in ((8, 1), (8, 2), (4, 2)))
    known = TrialHistory([found, passed, goal], TrialObjective(Objective(limit_ms=50.0)))
    for number, (configuration, rate) in enumerate([(found, 100.0), (goal, 150.0)], start=1):
        facts = {"role": "leader", "reason": "", "status": "rate", "rate_per_s": rate}
        known.add(Trial(number=number, configuration=configuration, **facts))
    made = steps((found, passed, goal), known, 0.01)
    assert [(step.rate_per_s, step.changed) for step in made] == [(100.0, ""), (150.0, "batch, instances")]


def test_a_latency_that_was_not_measured_is_no_number(results: TuningResults) -> None:
    blank = results.models[-1].model_copy(update={"unloaded_ms": None})
    assert render_report(results.model_copy(update={"models": (results.models[0], blank)}))


def test_the_values_file_names_the_model_its_tuning_and_the_capacity_of_a_pod(results: TuningResults) -> None:
    values, winner = yaml.safe_load(values_text(results)), results.tuning.path[-1].configuration
    assert values["modelRepository"]["models"] == ["m"]
    assert values["modelRepository"]["tuning"]["m"] == {
        "maxBatchSize": winner.batch,
        "preferredBatchSizes": list(winner.preferred),
        "maxQueueDelayMicroseconds": winner.delay_us,
        "instances": winner.instances,
    }
    rate = results.tuning.deployment.per_pod_per_s  # type: ignore[union-attr]
    assert values["scaling"]["requestRate"]["perPodCapacity"] == pytest.approx(rate, rel=0.001)
    assert values["scaling"]["replicas"] == results.tuning.deployment.replicas  # type: ignore[union-attr]


def test_cost_follows_from_the_price_and_the_rate(results: TuningResults) -> None:
    deployment = results.tuning.deployment
    assert deployment is not None and deployment.usd_per_million is not None
    assert deployment.usd_per_million == pytest.approx(0.54 / 3600 / deployment.per_pod_per_s * 1e6)


def test_the_plan_entry_completes_the_plan_s_own_variant() -> None:
    (entry,) = yaml.safe_load(plan_entry_text("onnx_int8", WINNER, PLAN))
    variant = Variant.model_validate(entry)
    assert (variant.engine, variant.precision) == ("onnxruntime", "int8")
    assert (variant.max_batch_size, variant.instances, variant.max_queue_delay_us) == (8, 2, 500)
    assert variant.preferred_batch_sizes == (4,)


def test_a_plan_without_the_variant_is_refused() -> None:
    with pytest.raises(UsageError, match="it has no variant 'fast', only original, onnx_fp32, onnx_int8"):
        plan_entry_text("fast", WINNER, PLAN)


def test_files_are_written_where_the_chart_looks_for_them(results: TuningResults, tmp_path: Path) -> None:
    files = write_deployment(results, tmp_path, None)
    assert files["values.yaml"] == tmp_path / "values" / "tuned-m.yaml"
    assert yaml.safe_load(files["plan-entry.yaml"].read_text())[0]["name"] == "m"
