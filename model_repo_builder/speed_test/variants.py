"""The variants of a model repository as a speed test executes them: read from config.pbtxt, manifest and labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from google.protobuf import text_format
from pydantic import BaseModel, ConfigDict
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.engines import ENGINES
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.repository import manifest
from model_repo_builder.repository.config_pbtxt import LABELS_FILE
from model_repo_builder.repository.manifest import Manifest


class Built(BaseModel):
    """A published variant: its version folder, how Triton would run it, and the names of its classes."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    manifest: Manifest
    parameters: dict[str, str]
    gpu: bool
    max_batch_size: int
    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        """Triton's model name."""
        return self.manifest.variant


def read(repository: Path, only: Sequence[str]) -> list[Built]:
    """The chosen variants (all, where `only` is empty), the plain TensorFlow model first, which others compare to.

    InvalidError for what is no repository or not in it, BuildError where an artefact is missing.
    """
    manifests = {made.variant: made for folder in sorted(repository.iterdir()) if (made := manifest.read(folder))}
    if not manifests:
        raise InvalidError("TARGET", f"{repository} holds no variant", "a plan, or a repository that `build` made")
    for name in only:
        if name not in manifests:
            raise InvalidError("--only", name, ", ".join(manifests))
    chosen = only or sorted(manifests, key=lambda name: (manifests[name].engine != "tensorflow", name))
    return [_read(repository / name, manifests[name]) for name in dict.fromkeys(chosen)]


def require_gpu(chosen: Sequence[Built], gpus: Sequence[str]) -> None:
    """BuildError for a variant that needs a GPU where there is none: a framework may go on without, on the CPU."""
    for variant in chosen:
        if variant.gpu and not gpus:
            allowed = "a machine with a GPU (nvidia-smi lists it), or --only with variants for the CPU"
            raise BuildError(f"variants.{variant.name}.device: gpu (this machine has none); allowed: {allowed}")


def _read(variant: Path, made: Manifest) -> Built:
    artefact = variant / "1" / ENGINES[made.engine].artefact
    if not artefact.exists():
        raise BuildError(f"TARGET: {artefact} is missing; allowed: whole variants, build {made.variant} again")
    try:
        config = text_format.Parse((variant / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())
    except text_format.ParseError as error:
        raise BuildError(f"TARGET: {variant / 'config.pbtxt'} line {error}; allowed: a ModelConfig") from None
    labels = variant / LABELS_FILE
    return Built(
        folder=variant / "1",
        manifest=made,
        parameters={name: value.string_value for name, value in config.parameters.items()},
        gpu=any(group.kind == pb.ModelInstanceGroup.KIND_GPU for group in config.instance_group),
        max_batch_size=config.max_batch_size,
        labels=tuple(labels.read_text(encoding="utf-8").splitlines()) if labels.is_file() else (),
    )
