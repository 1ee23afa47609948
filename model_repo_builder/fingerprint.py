"""Fingerprints that tell a rebuild what changed: the artefact, or only how it is served."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from model_repo_builder import images
from model_repo_builder.plan import Plan, Variant

PACKAGE = Path(__file__).parent
# Modules whose code decides the bytes of an artefact; a change in one rebuilds, without a number to remember.
ARTEFACT_CODE = (
    *("source.py", "keras_source.py", "efficientnet_lite.py", "torch_checkpoint.py"),
    *("images.py", "photographs.py", "engines"),
)
# Agreement is checked on these where the plan names no images at all.
SYNTHETIC = "synthetic:1"
CONFIG_CODE = ("config.py", "alias.py", "runtime_python")


def artefact(plan: Plan, variant: Variant, source_sha256: str) -> str:
    """SHA-256 of everything that decides the artefact and its agreement with the source."""
    options = variant.engine_options
    chosen = options.model_dump(mode="json", exclude=set(variant.how.session_options))
    return _digest(
        source=source_sha256,
        engine=variant.engine,
        precision=variant.precision,
        input_dtype=input_dtype(plan, variant),
        options={**chosen, **variant.how.resolve(options, variant.max_batch_size)},
        calibration=calibration(plan) if variant.how.needs_calibration(variant.precision) else None,
        agreement=[agreement_source(plan), plan.agreement.count, _images_identity(agreement_source(plan))],
        packages=packages(variant),
        code=_code(ARTEFACT_CODE),
    )


def config(text: str, plan: Plan, labels: str) -> str:
    """SHA-256 of everything else in a variant's directory: config.pbtxt, model.py, labels, alias."""
    return _digest(text=text, runtime=plan.runtime, labels=labels, code=_code(CONFIG_CODE))


def input_dtype(plan: Plan, variant: Variant) -> str:
    """The dtype that clients of this variant send."""
    return variant.input_dtype or plan.model.input.dtype


def agreement_source(plan: Plan) -> str:
    """Where the images of the agreement check come from."""
    return plan.agreement.images or plan.calibration.images or SYNTHETIC


def calibration(plan: Plan) -> str:
    """The calibration set in words that identify it: `64 images of synthetic:1`."""
    images_of = str(plan.calibration.images)
    identity = _images_identity(images_of)
    return f"{plan.calibration.count} images of {images_of}" + (f" (sha256 {identity[:16]})" if identity else "")


def packages(variant: Variant) -> dict[str, str]:
    """Installed versions of what builds the variant."""
    versions = installed((*variant.how.packages, "numpy", "model-repo-builder"))
    return {**versions, "python": ".".join(map(str, sys.version_info[:3]))}


def installed(names: Sequence[str]) -> dict[str, str]:
    """The versions of those packages that are installed; nothing is imported."""
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@cache
def _images_identity(source: str) -> str:
    """SHA-256 of a directory's images; empty for a synthetic set, which its seed identifies."""
    if images.is_synthetic(source):
        return ""
    digest = hashlib.sha256()
    for path in images.files(source, "images"):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@cache
def _code(names: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name in names:
        root = PACKAGE / name
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _digest(**parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
