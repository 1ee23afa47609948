"""The telemetry of libraries is off, in a build and in a server."""

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

# What imports ONNX Runtime in a build, and in a generated model.py.
BEFORE = {
    "builder": "import model_repo_builder.engines",
    "server": "from model_repo_builder.repository.runtime_python import load_onnxruntime",
}


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A graph that returns its input."""
    given, returned = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y"))
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "same", [given], [returned]),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("where", BEFORE)
def test_onnx_runtime_keeps_no_number_of_the_machine_and_no_events(where: str, graph: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    left_out = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    env = {name: value for name, value in os.environ.items() if name not in left_out} | {"HOME": str(home)}
    code = f"{BEFORE[where]}; import onnxruntime; onnxruntime.InferenceSession({str(graph)!r})"
    subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=240)
    assert [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()] == []
