"""A tuning is resumed only by a run whose trials can stand beside those of the file; otherwise nothing is touched."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_tuning import SPACE
from outcomes import OUTCOMES
from run_headers import MACHINE, header

from command_line.environment import Software
from command_line.errors import ResultsFileError, UsageError
from slo_tuner.commands.parser import make_parser
from slo_tuner.results.file import write_results
from slo_tuner.results.schema import RunHeader, ServerFacts
from slo_tuner.tuning.options import TuneOptions, read_tune_options
from slo_tuner.tuning.record import TuningResults
from slo_tuner.tuning.resume import check_resumed_model, check_resumed_space, read_earlier

_SERVER = ServerFacts(name="triton", version="2.51.0", machine=MACHINE, machine_from="local")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """results.json of an interrupted tuning of `m` at 50 ms."""
    write_results(OUTCOMES["tuning interrupted"](), tmp_path / "results.json")
    return tmp_path / "results.json"


def _options(file: Path, model: str = "m", *more: str) -> TuneOptions:
    given = ["tune", model, "--address=h:1", f"--output={file.parent}", "--objective=p95<=50ms", "--resume", *more]
    return read_tune_options(make_parser().parse_args(given))


def test_the_same_run_goes_on(file: Path) -> None:
    earlier = read_earlier(_options(file), header(title="other", command="slo-tuner tune m --resume"), file)
    assert earlier is not None and len(earlier.tuning.trials) == 1
    check_resumed_space(earlier, SPACE, file)
    check_resumed_model(earlier, dict(earlier.models[0].server_config), file)


def test_without_resume_an_earlier_run_is_not_read(tmp_path: Path) -> None:
    options = replace(_options(tmp_path / "results.json"), resume=False)
    assert read_earlier(options, header(), tmp_path / "results.json") is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"protocol": "http"}, "its protocol is 'grpc', now it is 'http'"),
        ({"load_workers": 4}, "its workers is '1', now it is '4'"),
        ({"software": Software("0.2.0", "abc", "3.11", {"locust": "2"})}, "its slo-tuner is '0.1.0 abc'"),
        ({"software": Software("0.1.0", "abc", "3.12", {"locust": "2"})}, "its Python is '3.11'"),
        ({"software": Software("0.1.0", "abc", "3.11", {"locust": "3"})}, "its software is 'locust 2'"),
        ({"client": replace(MACHINE, cpu="Other")}, "its client machine's cpu is 'A CPU'"),
        ({"client": replace(MACHINE, cpu_limit=1.0)}, "its client machine's cpu_limit is 'None'"),
        ({"server": _SERVER.model_copy(update={"version": "2.55.0"})}, "its server is 'triton 2.51.0'"),
        ({"server": _SERVER.model_copy(update={"address": "h:1"})}, "its server address is ''"),
        ({"server": _SERVER.model_copy(update={"machine": None})}, "its server machine's cpu is 'A CPU', now it is ''"),
        ({"server": _SERVER.model_copy(update={"machine_name": "a T4"})}, "its server machine is '', now it is 'a T4'"),
    ],
)
def test_a_run_elsewhere_or_by_other_means_is_refused(changed: dict[str, Any], said: str, file: Path) -> None:
    _refused(file, _options(file), header(**changed), said)


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ("n", [], "its model is 'm', now it is 'n'"),
        ("m", ["--effort=quick"], "its effort is 'full', now it is 'quick'"),
        ("m", ["--objective=p95<=60ms"], "its objective is 'p95<=50ms', now it is 'p95<=60ms'"),
    ],
)
def test_other_options_are_refused(model: str, more: list[str], said: str, file: Path) -> None:
    _refused(file, _options(file, model, *more), header(), said)


def _refused(file: Path, options: TuneOptions, now: RunHeader, said: str) -> None:
    before = file.read_bytes()
    with pytest.raises(UsageError) as caught:
        read_earlier(options, now, file)
    assert said in str(caught.value) and "give another --output" in str(caught.value)
    assert "\n" not in str(caught.value) and file.read_bytes() == before


def test_an_objective_that_was_picked_is_taken_over(file: Path) -> None:
    options = _options(file, "m", "--objective=auto")
    assert read_earlier(options, header(), file) is not None


def test_another_space_is_refused(file: Path) -> None:
    earlier = read_earlier(_options(file), header(), file)
    with pytest.raises(UsageError, match=r"its space is 'batches \(1, 4, 8\)"):
        check_resumed_space(earlier, replace(SPACE, batches=(1, 4)), file)


def test_a_model_with_another_configuration_is_refused(file: Path) -> None:
    earlier = read_earlier(_options(file), header(), file)
    assert earlier is not None
    with pytest.raises(UsageError, match="its model's backend is '', now it is 'python'"):
        check_resumed_model(earlier, {**earlier.models[0].server_config, "backend": "python"}, file)


def test_results_of_another_command_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    write_results(OUTCOMES["kept"](), file)
    with pytest.raises(ResultsFileError, match=r"results\.json is no results file of slo-tuner: kind: "):
        read_earlier(_options(file), header(), file)


def test_the_deployment_names_the_machine_of_the_server(tmp_path: Path) -> None:
    from slo_tuner.tuning.deployment import values_text

    tuned = OUTCOMES["tuned"]()
    assert isinstance(tuned, TuningResults)
    away = tuned.run.server.model_copy(update={"machine": None, "machine_name": "a T4 in zone b"})
    remote = tuned.model_copy(update={"run": tuned.run.model_copy(update={"server": away})})
    assert "# (a T4 in zone b; found as" in values_text(remote) and "A CPU" not in values_text(remote)
