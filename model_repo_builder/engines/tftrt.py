"""TF-TRT: TensorRT segments inside a SavedModel. Plans and config files know it; this version cannot build it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from model_repo_builder.engines.base import Engine, Job, Options
from model_repo_builder.errors import BuildError
from model_repo_builder.signature import Signature

if TYPE_CHECKING:
    from model_repo_builder.engines.base import Predict

UNAVAILABLE = "tftrt (not available in this version); allowed: onnxruntime, tensorflow"


class TFTRTOptions(Options):
    """How TensorRT builds its segments."""

    workspace_mb: int = Field(default=2048, ge=1)
    minimum_segment_size: int = Field(default=3, ge=1)


def _build(job: Job) -> dict[str, str]:
    raise BuildError(UNAVAILABLE)


def _load(folder: Path, signature: Signature) -> Predict:
    raise BuildError(UNAVAILABLE)


ENGINE = Engine(
    name="tftrt",
    precisions=("fp32", "fp16", "int8"),
    devices=("gpu",),
    runtimes={"ngc": ("platform", "tensorflow_savedmodel")},
    artefact="model.savedmodel",
    packages=("tensorflow",),
    options=TFTRTOptions,
    session_options=frozenset(),
    parameters=lambda _: {},
    build=_build,
    load=_load,
    unavailable=lambda: UNAVAILABLE,
)
