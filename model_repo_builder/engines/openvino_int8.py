"""INT8 quantisation of an OpenVINO graph by NNCF, after training: ranges from examples of the inputs."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from typing import Any

from model_repo_builder.examples.kinds import Examples, count_of, requests
from model_repo_builder.signature import Signature


def quantise(model: Any, samples: Examples, signature: Signature, *, reduce_range: bool) -> Any:
    """The INT8 version of an OpenVINO model; `samples` as clients send them, each calibrated with alone.

    `reduce_range` keeps weights to 7 bits, as CPUs without VNNI need it. Attention has a scheme of its own in NNCF.
    """
    # NNCF tells its makers about each use, unless it believes itself in a test.
    os.environ.setdefault("NNCF_CI", "1")
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    nncf.set_log_level(logging.ERROR)
    overflow = OverflowFix.ENABLE if reduce_range else OverflowFix.DISABLE
    # Its progress bars go to stdout, which is this command's own.
    with contextlib.redirect_stdout(io.StringIO()):
        return nncf.quantize(
            model,
            nncf.Dataset(list(requests(samples, signature, 1))),
            subset_size=count_of(samples),
            target_device=nncf.TargetDevice.CPU,
            model_type=nncf.ModelType.TRANSFORMER if signature.takes_tokens else None,
            advanced_parameters=AdvancedQuantizationParameters(overflow_fix=overflow),
        )
