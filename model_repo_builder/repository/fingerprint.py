"""Fingerprints that tell a rebuild what changed: the artefact, or only how it is served."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import example_files
import model_repo_builder
import triton_contract
from model_repo_builder.plan.schema import Plan, Variant
from model_repo_builder.sources import specification

PACKAGE = Path(model_repo_builder.__file__).parent
# A change of the package rebuilds, without a list of what matters. These only run, show or publish what was built:
NO_ARTEFACT_CODE = ("__main__.py", "cli.py", "report.py", "build", "repository", "speed_test")
# The same for the files around an artefact, which the folder `repository` writes.
NO_CONFIG_CODE = ("bucket_publish.py", "fingerprint.py", "manifest.py", "publish.py", "stage.py")


def artefact(plan: Plan, variant: Variant, source_sha256: str) -> str:
    """SHA-256 of everything that decides the artefact and its agreement with the source."""
    options = variant.engine_options
    chosen = options.model_dump(mode="json", exclude=set(variant.resolved_engine.session_options))
    return _digest(
        source=source_sha256,
        engine=variant.engine,
        precision=variant.precision,
        form=plan.form(variant).name,
        options={**chosen, **variant.resolved_engine.build_facts(options, variant.max_batch_size)},
        calibration=calibration(plan) if variant.needs_calibration else None,
        agreement=[
            agreement_source(plan),
            plan.agreement.count,
            plan.kind.identity(agreement_source(plan)),
            plan.agreement.outputs,
        ],
        packages=packages(plan, variant),
        code=[code_digest(PACKAGE, NO_ARTEFACT_CODE), code_digest(Path(example_files.__file__).parent)],
    )


def config(text: str, plan: Plan, labels: str) -> str:
    """SHA-256 of everything else in a variant's directory: config.pbtxt, model.py, labels, alias."""
    return _digest(
        text=text,
        runtime=plan.runtime,
        labels=labels,
        code=[
            code_digest(PACKAGE / "repository", NO_CONFIG_CODE),
            code_digest(Path(triton_contract.__file__).parent),
        ],
    )


def agreement_source(plan: Plan) -> str:
    """Where the examples of the agreement check come from: a path, or what generates them."""
    return specification.examples(plan.model, plan.agreement_source, plan.field_of("agreement"))


def calibration_source(plan: Plan) -> str:
    """Where the examples that set ranges come from: a path, or what generates them."""
    return specification.examples(plan.model, str(plan.calibration_source), plan.field_of("calibration"))


def calibration(plan: Plan) -> str:
    """The calibration set as text that identifies it: `64 images of synthetic:1`."""
    identity = plan.kind.identity(calibration_source(plan))
    text = f"{plan.calibration.count} {plan.kind.sample_kind} of {plan.calibration_source}"
    return text + (f" (sha256 {identity[:16]})" if identity else "")


def packages(plan: Plan, variant: Variant) -> dict[str, str]:
    """Installed versions of what builds the variant."""
    names = (*specification.packages(plan.model), *variant.resolved_engine.packages, "numpy", "model-repo-builder")
    versions = installed(names)
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
def code_digest(folder: Path, without: tuple[str, ...] = ()) -> str:
    """SHA-256 of every Python file below `folder`, but for the names in `without`, which stand directly in it."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder)
        if name.parts[0] not in without:
            digest.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _digest(**parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
