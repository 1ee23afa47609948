"""The machine and the software as results keep them: CPU limits of cgroups, the tool's own revision, hung programs."""

import subprocess
import time
from pathlib import Path

import pytest

from command_line import environment
from command_line.environment import cpu_limit, cpu_model, describe_machine, own_revision


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content + "\n")


def _own(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "cgroup"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_a_limit_of_cgroup_2_is_cores(tmp_path: Path) -> None:
    _write(tmp_path / "root" / "pod" / "container", cpu__max="150000 100000")
    assert cpu_limit(tmp_path / "root", _own(tmp_path, "0::/pod/container")) == 1.5


def test_the_tightest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    _write(tmp_path / "root" / "pod" / "container", cpu__max="max 100000")
    _write(tmp_path / "root" / "pod", cpu__max="50000 100000")
    _write(tmp_path / "root", cpu__max="400000 100000")
    assert cpu_limit(tmp_path / "root", _own(tmp_path, "0::/pod/container")) == 0.5


def test_in_a_container_the_limit_stands_at_the_root(tmp_path: Path) -> None:
    """A cgroup namespace shows the container's own cgroup as the root, whatever path it names."""
    _write(tmp_path / "root", cpu__max="200000 100000")
    assert cpu_limit(tmp_path / "root", _own(tmp_path, "0::/")) == 2.0
    assert cpu_limit(tmp_path / "root", _own(tmp_path, "0::/../../elsewhere")) == 2.0


def test_a_limit_of_cgroup_1_is_cores(tmp_path: Path) -> None:
    v1 = {"cpu__cfs_quota_us": "250000", "cpu__cfs_period_us": "100000"}
    _write(tmp_path / "root" / "cpu" / "docker" / "id", **v1)
    _write(tmp_path / "root" / "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    own = _own(tmp_path, "4:memory:/docker/id", "3:cpu,cpuacct:/docker/id", "0::/system")
    assert cpu_limit(tmp_path / "root", own) == 2.5


def test_a_container_of_cgroup_1_finds_its_limit_at_the_controller(tmp_path: Path) -> None:
    _write(tmp_path / "root" / "cpu", cpu__cfs_quota_us="50000", cpu__cfs_period_us="100000")
    assert cpu_limit(tmp_path / "root", _own(tmp_path, "3:cpu,cpuacct:/kubepods/pod/id")) == 0.5


@pytest.mark.parametrize("quota", ["max 100000", "nonsense", ""])
def test_without_a_limit_there_is_none(tmp_path: Path, quota: str) -> None:
    _write(tmp_path / "root" / "pod", cpu__max=quota)
    assert cpu_limit(tmp_path / "root", _own(tmp_path, "0::/pod")) is None
    assert cpu_limit(tmp_path / "absent", tmp_path / "absent") is None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _repository(folder: Path, project: str) -> Path:
    """A repository whose pyproject.toml names a project, with one commit; the package in it."""
    (folder / "command_line").mkdir(parents=True)
    (folder / "command_line" / "__init__.py").write_text("")
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{project}"\n')
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    return folder / "command_line"


def test_the_revision_of_a_checkout_is_its_own_and_says_that_files_changed(tmp_path: Path) -> None:
    package = _repository(tmp_path / "checkout", "tensorflow-inference-system")
    revision = _git(tmp_path / "checkout", "rev-parse", "--short=12", "HEAD")
    assert own_revision(package) == revision
    (package / "__init__.py").write_text("changed = True\n")
    assert own_revision(package) == f"{revision}+changes"


def test_installed_inside_another_repository_there_is_no_revision(tmp_path: Path) -> None:
    _repository(tmp_path / "other", "other")
    installed = tmp_path / "other" / ".venv" / "lib" / "python3" / "site-packages" / "command_line"
    installed.mkdir(parents=True)
    assert own_revision(installed) == ""


def test_a_copy_at_the_top_of_another_repository_has_no_revision(tmp_path: Path) -> None:
    assert own_revision(_repository(tmp_path / "other", "other")) == ""


def test_a_driver_that_hangs_costs_a_moment_and_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(environment, "_ANSWER_S", 0.5)
    begin = time.monotonic()
    assert describe_machine().gpus == ()
    assert time.monotonic() - begin < 20


def test_flags_of_bf16_are_kept_as_those_of_int8(tmp_path: Path) -> None:
    """A rate in BF16 means nothing without knowing whether the processor had it."""
    _write(tmp_path, cpuinfo="processor : 0\nmodel name : A CPU\nflags : fpu avx2 amx_bf16 avx512_bf16 amx_int8 sse")
    assert cpu_model(tmp_path / "cpuinfo") == ("A CPU", ("avx2", "avx512_bf16", "amx_bf16", "amx_int8"))
