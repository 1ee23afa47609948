"""Two tiers on the real tritonserver: tier 2 is refused what is too much, tier 1 nothing, and without tiers nobody."""

import json
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, build_plan, run_tuner

pytestmark = pytest.mark.measures

MODELS = ("interactive", "bulk")


@pytest.fixture(scope="module")
def tiered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that takes some ten milliseconds, as a model of each tier."""
    folder = tmp_path_factory.mktemp("tiers")
    plan = yaml.safe_load((ROOT / "plans" / "tiny.yaml").read_text())
    plan["model"] |= {"arguments": {"alpha": 1.0, "classes": 10}, "input": {"size": [224, 224]}}
    options = {"intra_op_threads": 1, "allow_spinning": False}
    plan["defaults"] = {"engine": "onnxruntime", "input_dtype": "uint8", "max_batch_size": 2, "options": options}
    plan["variants"] = [{"name": name, "tier": tier} for tier, name in enumerate(MODELS, start=1)]
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    return build_plan(folder / "plan.yaml", folder / "models")


def test_only_tier_2_is_refused_and_only_with_tiers(tiered: Path, server_python: str, tmp_path: Path) -> None:
    where = [f"--repository={tiered}", f"--server-python={server_python}", f"--output={tmp_path}"]
    # Whatever this machine serves with one thread: the burst on tier 2 is more.
    load = ["--capacities=10,150", "--scenarios=tier-2", "--phase-s=3", "--effort=smoke", "--objective=p95<=1s"]
    done = run_tuner(["tiers", *MODELS, *where, *load])
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["complete"]
    (scenario,) = results["tiers"]["scenarios"]
    interactive, bulk = (played["phases"][1] for played in scenario["tiers"])
    assert interactive["shed"] + interactive["timed_out"] == 0
    assert bulk["shed"] + bulk["timed_out"] > 0
    for played in scenario["control"]:
        assert played["phases"][1]["shed"] + played["phases"][1]["timed_out"] == 0
    assert "refused, queue full" in (tmp_path / "report.html").read_text()


def test_models_of_the_wrong_tier_are_refused(tiered: Path, server_python: str, tmp_path: Path) -> None:
    where = [f"--repository={tiered}", f"--server-python={server_python}", f"--output={tmp_path}"]
    done = run_tuner(["tiers", *reversed(MODELS), *where])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("slo-tuner: error: tier 1: 'bulk' is not allowed; it was built with")
