"""A file that only its name makes one of Keras is refused before Keras is started."""

import zipfile
from pathlib import Path

import pytest

from model_repo_builder.errors import InvalidError
from model_repo_builder.sources import keras_file


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("m.keras", "is no zip archive, as .keras is"),
        ("M.KERAS", "is no zip archive, as .keras is"),
        ("m.h5", "is no HDF5 file, as .h5 is"),
        ("m.hdf5", "is no HDF5 file, as .h5 is"),
        ("m.weights.h5", "holds weights alone"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"no model"])
def test_a_file_of_another_format_is_refused_by_its_name(
    name: str, said: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_file, "_run", lambda *_: pytest.fail("Keras was started"))
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidError, match=said):
        keras_file.fetch(path)


def test_a_zip_archive_is_left_to_keras(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    keras_file._check_format(path)
