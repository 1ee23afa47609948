"""Examples in a NumPy archive: an array for each input, its first dimension the examples."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from example_files.errors import ExampleFileError
from example_files.wanted import STRING, Input, Row, Wanted, fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALLOWED = "an .npz file with an array for each input, [examples, ...]; texts as NumPy's S or U, no objects"


def rows(path: Path, wanted: Wanted) -> Iterator[Row]:
    """The examples in their order; ExampleFileError where an array is missing or does not fit.

    An array of a model without a batch may leave out the leading dimension: it is one example then.
    """
    stored = _read(path)
    arrays = {one.name: _array(stored, one, path, batched=wanted.batched) for one in wanted.inputs}
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise ExampleFileError(str(path), f"examples of each input: {counts}", "the same number for each input")
    for row in range(next(iter(counts.values()))):
        yield {name: np.asarray(array[row], array.dtype) for name, array in arrays.items()}


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        stored = np.load(path, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            raise ExampleFileError(str(path), "one array without a name, as np.save writes it", ALLOWED)
        with stored:
            # What is packed beside arrays comes as bytes.
            return {name: array for name, array in stored.items() if isinstance(array, np.ndarray)}
    except ExampleFileError:
        raise
    except zlib.error:
        raise ExampleFileError(str(path), "a damaged archive", ALLOWED) from None
    except (OSError, ValueError, TypeError, AttributeError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise ExampleFileError(str(path), getattr(error, "strerror", None) or str(error), ALLOWED) from None


def _array(stored: dict[str, NDArray[Any]], one: Input, path: Path, *, batched: bool) -> NDArray[Any]:
    # NumPy can't keep every name: a slash would be a folder of the archive.
    array = stored.get(one.name, stored.get(re.sub(r"[/:]", "_", one.name)))
    if array is None:
        raise ExampleFileError(str(path), f"arrays {', '.join(stored) or 'none'}", f"one for the input {one.name}")
    if array.ndim == len(one.shape) and not batched:
        array = array[None]
    if array.ndim == len(one.shape) and one.shape == (1,):
        array = array[:, None]
    if array.ndim != len(one.shape) + 1 or not len(array) or not one.fits(array.shape[1:]):
        allowed = f"[examples, {str(list(one.shape))[1:-1]}]"
        raise ExampleFileError(str(path), f"{one.name} is {list(array.shape)}", allowed)
    # A number is converted once for all examples, and a wrong one found in any of them.
    whole = Input(one.name, one.dtype, (len(array), *one.shape))
    if one.dtype == STRING and array.dtype.kind not in "SU":
        raise ExampleFileError(
            str(path), f"{one.name} is {array.dtype}", "texts (NumPy's S or U), as the model takes strings"
        )
    return fitted(array, whole, str(path))
