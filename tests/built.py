"""Variants as `build` leaves them, without having been built."""

from pathlib import Path

import numpy as np

from model_repo_builder.agreement import Result
from model_repo_builder.plan.schema import Variant
from model_repo_builder.repository import config_pbtxt
from model_repo_builder.repository.manifest import Manifest
from model_repo_builder.signature import Signature, Tensor

SIGNATURE = Signature((Tensor("image", "float32", (8, 8, 3)),), (Tensor("scores", "float32", (3,)),))


def manifest_of(variant: Variant, artefact: str = "", settings: str = "") -> Manifest:
    """A manifest with these fingerprints of the artefact and of how it is served."""
    return Manifest(
        variant=variant.name,
        model="tiny",
        source="",
        source_sha256="",
        weights="",
        pretrained=False,
        engine=variant.engine,
        precision=variant.precision,
        runtime="python",
        input_dtype="float32",
        calibration=None,
        agreement_examples="",
        agreement=Result(examples=1, top1=1, max_abs_diff=0, mean_abs_diff=0),
        notes={},
        packages={},
        cpu="",
        build_seconds=1,
        signature=SIGNATURE,
        artefact=artefact,
        config=settings,
    )


def write(repository: Path, variant: Variant, artefact: str = "", settings: str = "") -> Manifest:
    """A variant whose artefact and model.py hold their fingerprints, and whose labels and warm-up are `settings`."""
    folder = repository / variant.name
    (folder / "1").mkdir(parents=True, exist_ok=True)
    made = manifest_of(variant, artefact, settings)
    (folder / "1" / variant.resolved_engine.artefact).write_text(artefact)
    (folder / "1" / "model.py").write_text(settings)
    (folder / "1" / "manifest.json").write_text(made.text())
    (folder / "labels.txt").write_text(settings)
    rows = [{"image": np.zeros((8, 8, 3), np.float32)}]
    config = config_pbtxt.model_config(variant, SIGNATURE, "python", labels=True, rows=rows)
    (folder / "config.pbtxt").write_text(config_pbtxt.text(config))
    (folder / "warmup").mkdir(exist_ok=True)
    (folder / "warmup" / config.model_warmup[0].inputs["image"].input_data_file).write_text(settings)
    return made
