"""An environment that has TensorFlow keeps it, and NumPy and protobuf with it: pip installs only what is missing."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import INSTALL_S, ROOT, Environment, run, succeeded

TENSORFLOW = "2.17.1"
# NVIDIA's image has a version of its own, which its constraints name.
LOCAL = "2.17.0+nv24.10"
KEPT = ("tensorflow", "numpy", "protobuf")


@pytest.fixture(scope="module")
def existing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment with TensorFlow and nothing else, made by pip."""
    folder = tmp_path_factory.mktemp("image")
    succeeded(run([sys.executable, "-m", "venv", folder]))
    made = Environment(folder)
    install = [made.python, "-m", "pip", "install", "--quiet", f"tensorflow=={TENSORFLOW}"]
    # Not the newest of their range: what is there is to stay, not what pip would choose.
    succeeded(run([*install, "numpy==1.26.4", "protobuf==4.25.3"], INSTALL_S))
    yield made
    shutil.rmtree(folder, ignore_errors=True)


def _constraints(environment: Environment, file: Path) -> Path:
    """As docs/tutorials/gke.md makes them."""
    kept = {one: environment.version(one) for one in KEPT}
    file.write_text("".join(f"{name}=={version}\n" for name, version in kept.items()))
    return file


def test_pip_plans_to_keep_a_tensorflow_of_a_local_version(existing: Environment, wheel: Path, tmp_path: Path) -> None:
    (site,) = existing.folder.glob("lib/python*/site-packages")
    known, local = site / f"tensorflow-{TENSORFLOW}.dist-info", site / f"tensorflow-{LOCAL}.dist-info"
    metadata = (known / "METADATA").read_text()
    known.rename(local)
    try:
        (local / "METADATA").write_text(metadata.replace(f"\nVersion: {TENSORFLOW}\n", f"\nVersion: {LOCAL}\n", 1))
        assert existing.version("tensorflow") == LOCAL
        constraints = _constraints(existing, tmp_path / "keep.txt")
        report = tmp_path / "report.json"
        plan = ["install", "--quiet", "--dry-run", "--report", report, "--constraint", constraints]
        succeeded(run([existing.python, "-m", "pip", *plan, f"{wheel}[builder,gs]"], INSTALL_S))
        planned = {one["metadata"]["name"].lower() for one in json.loads(report.read_text())["install"]}
    finally:
        (local / "METADATA").write_text(metadata)
        local.rename(known)
    assert planned.isdisjoint({*KEPT, "tensorflow-cpu", "keras"})
    assert {"tf2onnx", "tritonclient", "gcsfs"} <= planned


def test_the_builder_fits_beside_a_tensorflow_and_leaves_it(existing: Environment, wheel: Path, tmp_path: Path) -> None:
    before = {one: existing.version(one) for one in KEPT}
    constraints = _constraints(existing, tmp_path / "keep.txt")
    install = [existing.python, "-m", "pip", "install", "--quiet", "--constraint", constraints, f"{wheel}[builder]"]
    succeeded(run(install, INSTALL_S))
    assert {one: existing.version(one) for one in KEPT} == before
    assert existing.version("tensorflow-cpu") == ""
    succeeded(run([existing.python, "-m", "pip", "check"]))
    output = tmp_path / "models"
    built = existing.run("model-repo-builder", "build", ROOT / "plans/tiny.yaml", f"--output={output}", "--json")
    assert {one["variant"] for one in json.loads(succeeded(built).stdout)} == {"original", "onnx_fp32", "onnx_int8"}
