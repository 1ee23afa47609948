"""Ranges of activations for static INT8, taken from histograms: as many examples as you like in the memory of one.

ONNX Runtime's own collectors keep every activation of every example before they count (7 GB for 64 images of
ResNet-50). The examples run twice here instead: once for the ends of each histogram, once to fill it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo_builder.examples.kinds import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Gives the examples from the beginning, as they are sent.
Feed = Callable[[], Iterator[Examples]]


def write_ranges(model: Path, feed: Feed, method: Any, types: Sequence[str], target: Path) -> None:
    """Write the ranges of a prepared model as the calibration cache that `quantize_static` reads.

    `method` is ONNX Runtime's CalibrationMethod, Percentile or Entropy; the histograms are those that it would make
    of all examples at once, and it chooses the ranges itself.
    """
    from onnxruntime.quantization import calibrate

    # It prints what it does, to the output that is this command's own.
    with contextlib.redirect_stdout(io.StringIO()):
        augmented = str(target.with_suffix(".onnx"))
        calibrator = calibrate.create_calibrator(model, types, augmented_model_path=augmented, calibrate_method=method)
        collector = calibrate.HistogramCollector(
            calibrator.method,
            calibrator.symmetric,
            calibrator.num_bins,
            calibrator.num_quantized_bins,
            calibrator.percentile,
            calibrator.scenario,
        )
        absolute = calibrator.symmetric and calibrator.method == "percentile"
        collector.histogram_dict = _histograms(calibrator, feed, absolute=absolute)
        calibrator.collector = collector
        calibrate.save_tensors_data(calibrator.compute_data(), target)


def _histograms(calibrator: Any, feed: Feed, *, absolute: bool) -> dict[str, tuple[Any, ...]]:
    """The entries that the collector would have: of absolute values between their ends, or of all around zero."""
    extents: dict[str, list[Any]] = {}
    for name, array in _activations(calibrator, feed):
        ends = _ends(array)
        known = extents.setdefault(name, ends)
        # The least and the largest number, the least and the largest absolute one.
        wider = zip((min, max, min, max), known, ends, strict=True)
        extents[name] = [choose(one, other) for choose, one, other in wider]
    found: dict[str, tuple[Any, ...]] = {}
    for name, (least, most, near, far) in extents.items():
        span = (near, far) if absolute else (-far, far)
        hist, edges = np.histogram(np.empty(0, least.dtype), calibrator.num_bins, range=span)
        found[name] = (hist, edges.astype(least.dtype), least, most, *(() if absolute else (far,)))
    for name, array in _activations(calibrator, feed):
        hist, *others = found[name]
        _, _, near, far = extents[name]
        values, span = (np.abs(array), (near, far)) if absolute else (array, (-far, far))
        found[name] = (hist + np.histogram(values, calibrator.num_bins, range=span)[0], *others)
    return found


def _ends(array: NDArray[Any]) -> list[Any]:
    if not array.size:
        return [np.zeros((), array.dtype)[()]] * 4
    least, most = np.nanmin(array), np.nanmax(array)
    absolute = np.abs(array)
    return [least, most, np.nanmin(absolute), np.nanmax(absolute)]


def _activations(calibrator: Any, feed: Feed) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every tensor whose range is wanted, of one example after the other."""
    session = calibrator.infer_session
    wanted = sorted(calibrator.tensors_to_calibrate)
    for request in feed():
        yield from zip(wanted, session.run(wanted, dict(request)), strict=True)
