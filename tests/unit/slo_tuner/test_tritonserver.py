"""The wheel's tritonserver is found in another environment, left as it is; what it lacks, or can't serve, is named."""

import json
from pathlib import Path

import pytest

from command_line.errors import ServerError, UsageError
from slo_tuner.triton.find_tritonserver import find_tritonserver
from slo_tuner.triton.server_process import check_repository


def _environment(folder: Path, version: str = "3.99", stub: bool = True, library: bool = True) -> Path:
    """A python3 that answers like one of an environment with nvidia-pytriton."""
    root = folder / "site" / "pytriton" / "tritonserver"
    (root / "backends" / "python").mkdir(parents=True)
    (root / "backends" / "python" / "libtriton_python.so").write_text("backend")
    stubs = root / "python_backend_stubs"
    (stubs / (version if stub else "3.0")).mkdir(parents=True)
    if stub:
        (stubs / version / "triton_python_backend_stub").write_text("stub")
    (folder / "lib").mkdir()
    if library:
        (folder / "lib" / f"libpython{version}.so.1.0").write_text("")
    facts = {
        "version": version,
        "site": str(folder / "site"),
        "libdir": str(folder / "lib"),
        "bin": str(folder / "bin"),
    }
    python = folder / "python3"
    python.write_text(f"#!/bin/sh\necho '{json.dumps(facts)}'\n")
    python.chmod(0o755)
    return python


def test_a_model_that_the_python_backend_could_not_start_is_named_whatever_stands_beside_it(tmp_path: Path) -> None:
    for name in ("a", "a model", "z", "of another engine"):
        (tmp_path / name / "1").mkdir(parents=True)
    for name in ("a", "z"):
        (tmp_path / name / "1" / "model.py").touch()
    check_repository(tmp_path)
    (tmp_path / "a model" / "1" / "model.py").touch()
    with pytest.raises(UsageError, match=r"^repository: '.*/a model' is not allowed; Triton's python backend takes"):
        check_repository(tmp_path)


def test_the_python_backend_is_completed_outside_of_the_installed_wheel(tmp_path: Path) -> None:
    server = find_tritonserver(server_python=str(_environment(tmp_path / "env")))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    backends = server.backend_directory(scratch)
    assert backends == scratch / "backends"
    assert (backends / "python" / "libtriton_python.so").read_text() == "backend"
    assert (backends / "python" / "triton_python_backend_stub").stat().st_mode & 0o111
    assert [file.name for file in (tmp_path / "env/site/pytriton/tritonserver/backends/python").iterdir()] == [
        "libtriton_python.so"
    ]


def test_a_stub_that_is_already_in_the_wheel_is_left_as_it_is(tmp_path: Path) -> None:
    server = find_tritonserver(server_python=str(_environment(tmp_path / "env")))
    own = tmp_path / "env/site/pytriton/tritonserver/backends/python/triton_python_backend_stub"
    own.write_text("in use")
    backends = server.backend_directory(tmp_path / "scratch")
    assert own.read_text() == "in use"
    assert backends is not None
    assert (backends / "python" / own.name).read_text() != "in use"


def test_the_server_gets_the_environment_s_python_and_libraries_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/known")
    environment = find_tritonserver(server_python=str(_environment(tmp_path / "env"))).environment()
    assert environment["PATH"].startswith(f"{tmp_path / 'env' / 'bin'}:")
    assert environment["LD_LIBRARY_PATH"].split(":")[0] == str(tmp_path / "env" / "lib")
    assert environment["LD_LIBRARY_PATH"].endswith(":/known")
    assert "PYTHONPATH" not in environment


def test_a_python_without_its_shared_library_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"libpython3.99.so.1.0 is missing.*install the system package libpython3.99"):
        find_tritonserver(server_python=str(_environment(tmp_path / "env", library=False)))


def test_a_python_that_the_wheel_does_not_know_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"has no stub for Python 3.99; it has 3.0"):
        find_tritonserver(server_python=str(_environment(tmp_path / "env", stub=False)))


def test_a_program_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tritonserver: .*absent"):
        find_tritonserver(program=str(tmp_path / "absent"))
    with pytest.raises(UsageError, match=r"server-python: .*absent"):
        find_tritonserver(server_python=str(tmp_path / "absent"))
