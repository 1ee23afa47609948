"""A trace is sent to a real server at its own times, in an open loop, and judged as every point is."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from .conftest import python_of, run_tuner
from .echo_models import echo_model

pytestmark = pytest.mark.measures


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers after 20 ms."""
    models = tmp_path_factory.mktemp("models")
    echo_model(models, "echo")
    return models


def test_requests_of_a_log_are_sent_when_they_were(repository: Path, tmp_path: Path) -> None:
    """Quiet seconds, a burst, and quiet seconds again: due times are those of the log, after a warm-up."""
    random = np.random.default_rng(1)
    times = np.sort(np.concatenate([random.uniform(0, 8, 40), random.uniform(3, 4, 60)]))
    log = tmp_path / "log.csv"
    log.write_text("timestamp\n" + "".join(f"{time:.4f}\n" for time in 1_767_225_600 + times))
    server = [f"--repository={repository}", f"--server-python={python_of('SERVER_PYTHON')}"]
    options = [f"--trace={log}", "--objective=p90<=10000ms", "--effort=smoke", f"--output={tmp_path / 'out'}"]
    done = run_tuner(["measure", "echo", *server, *options])
    assert done.returncode == 0, done.stderr
    (point,) = json.loads((tmp_path / "out" / "results.json").read_text())["models"][0]["points"]
    assert (point["purpose"], point["due"], point["requests"], point["errors"]) == ("trace", 100, 100, 0)
    assert point["rate_per_s"] == pytest.approx(100 / 8, rel=0.01)
    rows = gzip.decompress((tmp_path / "out" / point["rows_file"]).read_bytes()).decode().splitlines()[1:]
    due_s = np.sort([float(row.split(",")[0]) for row in rows]) / 1000
    assert due_s == pytest.approx(times - times[0], abs=2e-3)
