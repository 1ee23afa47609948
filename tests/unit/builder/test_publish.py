"""A model repository holds whole variants only, whatever interrupts the build that changes it."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.repository import publish

# A build of one variant in two files, stopped by SIGKILL at the moment that argv[2] names.
KILLED = """
import os, signal, sys
from pathlib import Path
from model_repo_builder.repository import publish

repository, moment = Path(sys.argv[1]), sys.argv[2]

def die(at):
    if at == moment:
        os.kill(os.getpid(), signal.SIGKILL)

if moment.startswith("two steps"):
    publish.exchange = lambda left, right: False
rename = Path.rename
def watched(self, target):
    die("two steps: before " + ("aside" if "aside" in str(target) else "publishing"))
    return rename(self, target)
Path.rename = watched

with publish.staging(repository) as folder:
    staged = folder / "model"
    (staged / "1").mkdir(parents=True)
    die("empty")
    (staged / "config.pbtxt").write_text("new")
    die("half written")
    (staged / "1" / "artefact").write_text("new")
    die("before publishing")
    publish.publish(staged, repository / "model")
    die("after publishing")
"""
MOMENTS = {
    "empty": "old",
    "half written": "old",
    "before publishing": "old",
    "two steps: before aside": "old",
    "two steps: before publishing": "old",
    "after publishing": "new",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one published variant whose files all say `old`."""
    folder = tmp_path / "repository"
    write(folder / "model", "old")
    return folder


def write(variant: Path, text: str) -> None:
    (variant / "1").mkdir(parents=True)
    (variant / "config.pbtxt").write_text(text)
    (variant / "1" / "artefact").write_text(text)


def contents(variant: Path) -> set[str]:
    return {path.read_text() for path in variant.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("moment", "expected"), MOMENTS.items())
def test_kill_9_leaves_a_whole_variant(repository: Path, moment: str, expected: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(repository), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    with publish.staging(repository):
        assert contents(repository / "model") == {expected}
        assert len(list((repository / "model").rglob("*"))) == 3
    assert [path.name for path in repository.iterdir()] == ["model"]


def test_exchange_never_lacks_the_variant_even_without_recovery(repository: Path) -> None:
    for moment in ("empty", "half written", "before publishing", "after publishing"):
        subprocess.run([sys.executable, "-c", KILLED, str(repository), moment], check=False)
        assert len(contents(repository / "model")) == 1


def test_a_full_disk_leaves_the_old_variant(repository: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"), publish.staging(repository) as folder:
            (folder / "artefact").write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert contents(repository / "model") == {"old"}
    assert [path.name for path in repository.iterdir()] == ["model"]


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "two steps"])
def test_publishing_replaces_a_variant(repository: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool) -> None:
    if not exchanges:
        monkeypatch.setattr(publish, "exchange", lambda left, right: False)
    with publish.staging(repository) as folder:
        write(folder / "model", "new")
        publish.publish(folder / "model", repository / "model")
    assert contents(repository / "model") == {"new"}


def test_publishing_adds_a_variant(repository: Path) -> None:
    with publish.staging(repository) as folder:
        write(folder / "other", "new")
        publish.publish(folder / "other", repository / "other")
    assert contents(repository / "other") == {"new"}
    assert contents(repository / "model") == {"old"}


def test_a_failed_build_publishes_nothing_and_leaves_no_staging(repository: Path) -> None:
    with pytest.raises(BuildError), publish.staging(repository) as folder:
        write(folder / "model", "new")
        raise BuildError("the engine failed")
    assert contents(repository / "model") == {"old"}
    assert [path.name for path in repository.iterdir()] == ["model"]


@pytest.mark.parametrize("there", [True, False])
def test_a_failed_build_removes_the_folders_that_it_made_and_no_other(there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "outer" / "models"
    if there:
        folder.mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt), publish.staging(folder):
        raise KeyboardInterrupt
    assert folder.exists() == folder.parent.exists() == there


def test_one_build_at_a_time(repository: Path) -> None:
    with (
        publish.staging(repository),
        pytest.raises(InvalidError, match="is being built by another process; allowed: one build"),
        publish.staging(repository),
    ):
        pass


def test_the_file_system_here_exchanges_directories(tmp_path: Path) -> None:
    write(tmp_path / "a", "left")
    write(tmp_path / "b", "right")
    assert publish.exchange(tmp_path / "a", tmp_path / "b")
    assert contents(tmp_path / "a") == {"right"}


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidError, match=r"--output: .*file is a file; allowed: a new or empty directory"):
        publish.check_output(tmp_path / "file")


def test_an_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidError, match=r"--output: .*file is a file"):
        publish.check_output(tmp_path / "file" / "repository")


def test_an_output_that_is_not_writable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write anywhere, so the question is answered here and not by the file system.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InvalidError, match=r"--output: .* is not writable; allowed"):
        publish.check_output(tmp_path / "repository")


def test_a_directory_that_is_no_model_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(InvalidError, match=r"--output: .* holds thesis\.doc; allowed"):
        publish.check_output(tmp_path)


def test_new_empty_and_existing_repositories_are_accepted(repository: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "new" / "deep", tmp_path / "empty", repository):
        if folder.name == "empty":
            folder.mkdir()
        publish.check_output(folder)


def test_a_file_is_linked_where_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "artefact").write_text("graph")
    publish.link_or_copy(tmp_path / "artefact", tmp_path / "link")
    assert (tmp_path / "link").samefile(tmp_path / "artefact")


def test_a_file_of_another_file_system_is_copied(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system only")
    (tmp_path / "artefact").write_text("graph")
    with tempfile.TemporaryDirectory(dir=elsewhere) as folder:
        with pytest.raises(OSError, match="cross-device"):
            (Path(folder) / "link").hardlink_to(tmp_path / "artefact")
        publish.link_or_copy(tmp_path / "artefact", Path(folder) / "copy")
        assert (Path(folder) / "copy").read_text() == "graph"


def test_a_file_that_can_be_neither_linked_nor_copied_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="artefact"):
        publish.link_or_copy(tmp_path / "artefact", tmp_path / "link")
