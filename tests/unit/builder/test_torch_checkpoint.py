"""A checkpoint is read as data: what is no table of tensors is refused, and nothing in it is ever called."""

import pickle
from pathlib import Path

import pytest

from model_repo_builder.errors import BuildError
from model_repo_builder.sources import torch_checkpoint

HEAD = [torch_checkpoint.MAGIC, torch_checkpoint.PROTOCOL, {"little_endian": True}]


def written(folder: Path, *objects: object) -> Path:
    path = folder / "weights.pth"
    path.write_bytes(b"".join(pickle.dumps(one, protocol=2) for one in objects))
    return path


class Creates:
    """Creates a file when it is unpickled by pickle itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.path), "w")


def test_a_pickle_that_calls_something_is_refused_and_not_called(tmp_path: Path) -> None:
    path = written(tmp_path, *HEAD, Creates(tmp_path / "called"))
    with pytest.raises(BuildError, match=r"weights\.pth is no checkpoint of parameters: .*open is no part"):
        torch_checkpoint.read(path)
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("objects", [(), ("text",), (*HEAD,), (*HEAD, {"a": 3}, ["0"])], ids=["0", "1", "3", "5"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, objects: tuple[object, ...]) -> None:
    with pytest.raises(BuildError, match=r"weights\.pth is no checkpoint of parameters: "):
        torch_checkpoint.read(written(tmp_path, *objects))


def test_a_text_file_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_text("version https://git-lfs\n")
    with pytest.raises(BuildError, match=r"weights\.pth is no checkpoint of parameters: "):
        torch_checkpoint.read(tmp_path / "weights.pth")
