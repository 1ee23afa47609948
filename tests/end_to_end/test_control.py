"""Model control on the real tritonserver: what counts as a model, and when a model is gone."""

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from command_line.errors import UsageError
from slo_tuner.triton.control import Control
from slo_tuner.triton.deadlines import LOAD_S
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import TritonProcess, check_repository, pick_ports

from .conftest import started

FINALIZE_S = 2.0
CODE = f"""
import time
import triton_python_backend_utils as utils


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.add_input({{"name": "x", "data_type": "TYPE_FP32", "dims": [1]}})
        config.add_output({{"name": "y", "data_type": "TYPE_FP32", "dims": [1]}})
        config.set_max_batch_size(0)
        return config

    def execute(self, requests):
        return [utils.InferenceResponse([]) for _ in requests]

    def finalize(self):
        time.sleep({FINALIZE_S})
"""
NEVER_READY = """\
    def initialize(self, args):
        time.sleep(3600)

"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which other programs have been: a model of two versions without a config.pbtxt, and no models."""
    repository = tmp_path_factory.mktemp("found")
    for version in ("1", "2"):
        (repository / "slow_end" / version).mkdir(parents=True)
        (repository / "slow_end" / version / "model.py").write_text(CODE)
    for name in (".git", ".ipynb_checkpoints", "lost+found"):
        (repository / name).mkdir()
    return repository


@pytest.fixture(scope="module")
def control(found: Path, server_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    log = tmp_path_factory.mktemp("log") / "tritonserver.log"
    with (
        TritonProcess(find_tritonserver(server_python=server_python), found, pick_ports(), log) as server,
        closing(Control(server.grpc_address, server)) as opened,
    ):
        yield opened


def test_a_repository_that_triton_serves_is_accepted(found: Path, control: Control) -> None:
    check_repository(found)
    control.load("slow_end", 60.0)
    assert control.is_ready("slow_end")


@pytest.mark.parametrize("name", ["my models", "it's $HOME; mä&ß"])
def test_a_repository_in_a_folder_of_any_name_is_served(
    found: Path, server_python: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    repository = Path(shutil.copytree(found / "slow_end", tmp_path / name / "slow_end")).parent
    program = find_tritonserver(server_python=server_python)
    with (
        TritonProcess(program, repository, pick_ports(), tmp_path / "tritonserver.log") as server,
        closing(Control(server.grpc_address, server)) as opened,
    ):
        opened.load("slow_end", 60.0)
        assert opened.is_ready("slow_end")


def test_a_folder_for_temporary_files_that_the_backend_could_not_use_is_named(
    found: Path, server_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a b").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a b"))
    program = find_tritonserver(server_python=server_python)
    with pytest.raises(UsageError, match=r"^TMPDIR: "):
        TritonProcess(program, found, pick_ports(), tmp_path / "tritonserver.log")


def test_an_interruption_does_not_wait_for_the_load_of_a_server_that_ends_too(
    server_python: str, tmp_path: Path
) -> None:
    version = tmp_path / "models" / "never" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(CODE.replace("    def execute", f"{NEVER_READY}    def execute"))
    arguments = ["measure", "never", f"--repository={tmp_path / 'models'}", f"--server-python={server_python}"]
    with started("slo-tuner", [*arguments, f"--output={tmp_path / 'out'}"], until="objective") as (child, _):
        log, end = tmp_path / "out" / "tritonserver.log", time.monotonic() + 60
        while not (log.exists() and "loading: never" in log.read_text()):
            assert time.monotonic() < end
            time.sleep(0.1)
        child.process.send_signal(signal.SIGINT)
        # A fifth of the time that a load may take.
        assert child.process.wait(LOAD_S / 5) == 130


def test_only_models_are_models_and_each_is_one(control: Control) -> None:
    assert control.models() == ["slow_end"]


def test_a_model_is_unloaded_when_the_server_has_let_go_of_it(control: Control) -> None:
    if not control.is_ready("slow_end"):
        control.load("slow_end", 60.0)
    begin = time.monotonic()
    control.unload("slow_end")
    assert time.monotonic() - begin >= FINALIZE_S
    assert not control.is_ready("slow_end")
