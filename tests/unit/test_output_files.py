"""What a command writes is whole or not there, and a folder is of one command at a time."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from command_line.errors import UsageError
from command_line.files import check_output, output_folder, write_whole

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("before", ["old", None])
def test_a_disk_that_is_full_leaves_what_was_there(before: str | None, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    if before is not None:
        file.write_text(before)
    code = "import sys, pathlib, command_line.files as f; f.write_whole(pathlib.Path(sys.argv[1]), 'x' * 9000)"

    def little_space() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], preexec_fn=little_space, env=env, capture_output=True, check=False
    )
    assert b"File too large" in done.stderr
    assert [one.read_text() for one in tmp_path.iterdir()] == ([before] if before is not None else [])


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        write_whole(pipe, "text")
        assert reader.communicate(timeout=30)[0] == b"text"
    assert pipe.is_fifo()


def test_a_link_keeps_leading_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "results.json"
    link.symlink_to(tmp_path / "elsewhere" / "file")
    write_whole(link, "text")
    assert link.is_symlink() and (tmp_path / "elsewhere" / "file").read_text() == "text"


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), "text")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["text"]


def test_a_folder_is_of_one_command_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(UsageError, match="another command is writing there")
    with output_folder(tmp_path / "out"), refused, output_folder(tmp_path / "out"):
        raise AssertionError("two write")
    with output_folder(tmp_path / "out"):
        pass


def test_a_folder_that_was_made_for_nothing_is_removed(tmp_path: Path) -> None:
    with output_folder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert not (tmp_path / "a").exists()


def test_a_folder_that_was_there_or_has_something_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with output_folder(tmp_path / "there"), output_folder(tmp_path / "new"):
        (tmp_path / "new" / "file").touch()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new", "there"]


@pytest.mark.parametrize("name", ["file", "file/below", "file/below/deeper", "n" * 300, "link"])
def test_what_can_be_no_folder_is_refused_before_anything_is_made(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("absent")
    with pytest.raises(UsageError, match=r"output: .* must be a directory"):
        check_output(tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 2
