"""Inputs of a model and the answers of its source, in one .npz that the builder's environment writes and tests read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]


def save(path: Path, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Keep them as in_NAME and out_NAME; texts as NumPy's S, which needs no pickle, and a slash, which is a folder, as
    two underscores."""
    named = {f"in_{key}": array for key, array in inputs.items()} | {f"out_{key}": a for key, a in outputs.items()}
    np.savez(path, **{key.replace("/", "__"): _kept(np.asarray(array)) for key, array in named.items()})


def known(folder: Path, case: str, prefix: str) -> Arrays:
    """The arrays of a case by their names: its inputs (`in_`), or its answers (`out_`)."""
    with np.load(folder / f"{case}.npz") as stored:
        return {k.removeprefix(prefix).replace("__", "/"): stored[k] for k in stored.files if k.startswith(prefix)}


def _kept(array: Any) -> Any:
    return array.astype("S") if array.dtype.hasobject else array
