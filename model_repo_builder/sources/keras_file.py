"""A model saved by Keras in one file, `.keras` or `.h5`, as a SavedModel: exported once for each content of the file.

Keras runs in a process of its own, so that looking at a plan does not start TensorFlow here. Layers of one's own are
Python code, which no file holds: such a model is refused, as is a Lambda layer, whose code would be executed unseen.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

from command_line.extras import is_installed
from model_repo_builder.bucket_cache import cached, held
from model_repo_builder.errors import BuildError, InvalidError

FIELD = "model.source"
SUFFIXES = (".keras", ".h5", ".hdf5")
TIMEOUT_S = 600
_HDF5 = b"\x89HDF\r\n\x1a\n"
ALLOWED = "a SavedModel: model.export(DIR) makes one of it where its own classes are known"
# Files of `.h5` that Keras 3 can't read are those of Keras 2, which tf-keras still is.
VERSIONS_OF_KERAS = ("keras", "tf_keras")
EXPORT = """
import importlib, sys
name, path, folder = sys.argv[1:]
keras = importlib.import_module(name)
keras.models.load_model(path, compile=False, safe_mode=True).export(folder)
"""


def is_keras_file(path: Path) -> bool:
    """Whether a path is a file of Keras by its name; weights alone, `.weights.h5`, are none."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def digest(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def fetch(path: Path) -> Path:
    """The SavedModel of a file of Keras, in this machine's cache.

    InvalidError where Keras can't load the file without Python code of others, BuildError without TensorFlow or when
    it takes longer than TIMEOUT_S.
    """
    if path.name.lower().endswith((".weights.h5", ".weights.hdf5")):
        raise InvalidError(FIELD, f"{path} holds weights alone", "a whole model, as model.save(FILE.keras) writes it")
    _check_format(path)
    if not is_installed("tensorflow"):
        raise BuildError(f"{FIELD}: {path} is exported by TensorFlow, which is missing; allowed: {ALLOWED}")
    folder = cached(digest(path), "keras")
    with held(folder, FIELD):
        exported = folder / "savedmodel"
        if not exported.is_dir():
            partial = folder / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            _export(path, partial)
            partial.rename(exported)
    return exported


def _check_format(path: Path) -> None:
    """InvalidError for a file that is none of its name's format; Keras says of some that they are not found."""
    if path.suffix.lower() == ".keras":
        whole, kind = zipfile.is_zipfile(path), "zip archive, as .keras is"
    else:
        with path.open("rb") as stream:
            whole, kind = stream.read(len(_HDF5)) == _HDF5, "HDF5 file, as .h5 is"
    if not whole:
        raise InvalidError(FIELD, f"{path} is no {kind}", "a whole model, as model.save(FILE.keras) writes it")


def _export(path: Path, folder: Path) -> None:
    reasons = []
    for keras in VERSIONS_OF_KERAS:
        reason = _run(keras, path, folder)
        if reason is None:
            return
        shutil.rmtree(folder, ignore_errors=True)
        reasons.append(reason)
        if path.suffix.lower() == ".keras" or not is_installed("tf_keras"):
            break
    raise InvalidError(FIELD, f"{path} can't be loaded by Keras: {reasons[0]}", ALLOWED)


def _run(keras: str, path: Path, folder: Path) -> str | None:
    """Export in a process without GPU; the reason where it failed."""
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
    }
    command = [sys.executable, "-c", EXPORT, keras, str(path), str(folder)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise BuildError(f"{FIELD}: {path} was not exported within {TIMEOUT_S} s; allowed: {ALLOWED}") from None
    return None if done.returncode == 0 else _reason(done.stderr)


def _reason(printed: str) -> str:
    """The error of a traceback without its stack: what stands after the last line that begins with an exception."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    raised = [number for number, line in enumerate(lines) if _names_exception(line)]
    if not raised:
        return lines[-1] if lines else "the process ended without a word"
    whole = " ".join(lines[raised[-1] :])
    # A model within a model: the innermost tells what is missing.
    message = whole.rpartition("Exception encountered: ")[2] if "Exception encountered: " in whole else whole
    message = message.removeprefix(whole.partition(": ")[0] + ": ")
    # The first sentence tells what is missing; Keras goes on with advice for the code that wrote the model.
    return message.split(". ")[0].rstrip(".") or whole


def _names_exception(line: str) -> bool:
    name = line.partition(":")[0]
    return name.rpartition(".")[2].endswith(("Error", "Exception")) and " " not in name
