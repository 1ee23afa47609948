"""Builds what changed of a plan: freeze the source once, optimise, check agreement, then publish everything."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from model_repo_builder import agreement, fingerprint, images, manifest, photographs, publish, source
from model_repo_builder.engines.base import Job
from model_repo_builder.errors import BuilderError, BuildError, InvalidError
from model_repo_builder.manifest import Manifest
from model_repo_builder.plan import Plan, Variant
from model_repo_builder.report import Report, Row
from model_repo_builder.stage import Stage, size_of

if TYPE_CHECKING:
    from model_repo_builder.engines.base import Images, Outputs


@dataclass(frozen=True)
class Step:
    """One variant: the fingerprint of the artefact that it needs, and what the repository holds of it."""

    variant: Variant
    artefact: str
    published: Manifest | None

    @property
    def reusable(self) -> bool:
        """Whether the published artefact is the one that this plan would build."""
        return self.published is not None and self.published.artefact == self.artefact


def build(plan: Plan, repository: Path, report: Report, only: Sequence[str] = ()) -> list[Row]:
    """Bring the variants of `plan` in `repository` up to date; returns a row for each, in the plan's order.

    Raises InvalidError before any work, BuildError when an engine or an agreement check fails; then nothing of
    this build is published.
    """
    variants = ready(plan, only)
    publish.check_output(repository)
    identity = source.identity(plan.model)
    with publish.staging(repository) as folder:
        steps = [
            Step(variant, fingerprint.artefact(plan, variant, identity), manifest.read(repository / variant.name))
            for variant in variants
        ]
        workshop = Workshop(plan, steps, folder / "source", report)
        stage = Stage(plan, identity, repository, folder / "variants")
        rows: list[Row] = []
        made: dict[str, Manifest] = {}
        with report.counting(len(steps)):
            for step in steps:
                if step.reusable:
                    rows.append(_renew(step, stage, report))
                elif step.artefact in made:
                    rows.append(_share(step, made[step.artefact], stage, report))
                else:
                    rows.append(_make(step, workshop, stage, report))
                    made[step.artefact] = rows[-1].manifest
                report.done()
        for name in stage.publish():
            report.event(name, "published")
    return rows


def ready(plan: Plan, only: Sequence[str]) -> list[Variant]:
    """The variants to build (those of `--only`, or all), when all that can stop them before any work has been asked."""
    variants = _chosen(plan, only)
    for variant in variants:
        reason = variant.how.unavailable(plan.compute_capability)
        if reason is not None:
            raise BuildError(f"variants.{variant.name}.engine: {reason}")
    check(plan)
    return variants


def check(plan: Plan) -> None:
    """Everything about a plan that can be checked without TensorFlow, beyond its own syntax."""
    source.check(plan.model)
    if plan.calibration.images is not None:
        images.check(plan.calibration.images, "calibration.images")
    if plan.agreement.images is not None:
        images.check(plan.agreement.images, "agreement.images")


class Workshop:
    """What the variants of one build share, made at first use: the frozen source, images, reference outputs."""

    def __init__(self, plan: Plan, steps: Sequence[Step], folder: Path, report: Report) -> None:
        self.plan = plan
        self._folder = folder
        self._report = report
        needed = [fingerprint.input_dtype(plan, step.variant) for step in steps if not step.reusable]
        self._dtypes = {plan.model.input.dtype, *needed}

    @cached_property
    def frozen(self) -> source.Frozen:
        """The frozen graph; says what its weights are."""
        model = self.plan.model
        self._report.event(model.name, f"freezing {model.source}")
        frozen = source.freeze(model, self._folder, self._dtypes)
        self._report.event(model.name, f"weights: {frozen.weights}")
        if not frozen.pretrained:
            self._report.event(model.name, "RANDOM WEIGHTS: speed and sizes are real, predictions mean nothing")
        return frozen

    @cached_property
    def calibration(self) -> Images:
        """Calibration images."""
        return self._images(str(self.plan.calibration.images), "calibration.images", self.plan.calibration.count)

    @cached_property
    def held_out(self) -> Images:
        """Images of the agreement check; not those of the calibration where the set has others."""
        origin = fingerprint.agreement_source(self.plan)
        has_others = origin in (self.plan.calibration.images, photographs.NAME)
        skip = self.plan.calibration.count if has_others else 0
        return self._images(origin, "agreement.images", self.plan.agreement.count, skip)

    @cached_property
    def reference(self) -> Outputs:
        """Outputs of the source itself."""
        from model_repo_builder.engines import tensorflow

        dtype = self.plan.model.input.dtype
        predict = tensorflow.load_savedmodel(self.frozen.savedmodel(dtype), self.frozen.signature)
        return agreement.run(predict, self.held_out)

    def _images(self, origin: str, field: str, count: int, skip: int = 0) -> Images:
        height, width, _ = self.frozen.signature.image.shape
        return images.load(origin, field, count, (height, width), skip)


def _make(step: Step, workshop: Workshop, stage: Stage, report: Report) -> Row:
    """Build and check one artefact in the staging directory."""
    plan, variant = workshop.plan, step.variant
    dtype = fingerprint.input_dtype(plan, variant)
    frozen = workshop.frozen
    signature = frozen.signature.with_input_dtype(dtype)
    started = time.monotonic()
    needs_images = variant.how.needs_calibration(variant.precision)
    calibration = workshop.calibration if needs_images else None
    if needs_images:
        report.event(variant.name, f"calibration: {fingerprint.calibration(plan)}")
    version = stage.version_folder(variant)
    job = Job(
        savedmodel=frozen.savedmodel(dtype),
        signature=signature,
        base=frozen.savedmodel(plan.model.input.dtype),
        base_signature=frozen.signature,
        precision=variant.precision,
        options=variant.engine_options,
        calibration=calibration,
        max_batch_size=variant.max_batch_size,
        folder=version,
        progress=lambda text: report.event(variant.name, text),
    )
    try:
        notes = variant.how.build(job)
        candidate = agreement.run(variant.how.load(version, signature), workshop.held_out)
    except BuilderError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:400]
        raise BuildError(
            f"variants.{variant.name}: {variant.engine} failed: {type(error).__name__}: {reason}"
        ) from error
    seconds = time.monotonic() - started
    result = agreement.compare(workshop.reference, candidate)
    made = stage.manifest(variant, frozen, signature, result, notes, seconds, step.artefact)
    _require_agreement(variant, result, frozen.pretrained)
    stage.finish(variant, made)
    report.event(variant.name, f"built in {seconds:.1f} s, top-1 agreement {result.top1:.1%} of {result.images} images")
    return Row(made, "built", seconds, size_of(version))


def _renew(step: Step, stage: Stage, report: Report) -> Row:
    """Keep a published artefact; stage new files around it where they differ."""
    assert step.published is not None
    started = time.monotonic()
    _require_agreement(step.variant, step.published.agreement, step.published.pretrained)
    renewed = stage.renew(step.variant, step.published, stage.repository)
    action = "unchanged" if renewed is step.published else "config rewritten"
    report.event(step.variant.name, f"{action}; weights: {renewed.weights}")
    return Row(renewed, action, time.monotonic() - started, size_of(stage.repository / step.variant.name / "1"))


def _share(step: Step, twin: Manifest, stage: Stage, report: Report) -> Row:
    """Serve the artefact that another variant of this build has just got in this one's own way."""
    started = time.monotonic()
    _require_agreement(step.variant, twin.agreement, twin.pretrained)
    made = stage.renew(step.variant, twin.model_copy(update={"config": ""}), stage.folder)
    report.event(step.variant.name, f"the same artefact as {twin.variant}")
    return Row(made, f"as {twin.variant}", time.monotonic() - started, size_of(stage.folder / step.variant.name / "1"))


def _require_agreement(variant: Variant, result: agreement.Result, pretrained: bool) -> None:
    miss = agreement.shortfall(result, variant.agreement, pretrained)
    if miss is not None:
        raise BuildError(f"variants.{variant.name}.{miss}")


def _chosen(plan: Plan, only: Sequence[str]) -> list[Variant]:
    names = [variant.name for variant in plan.variants]
    for name in only:
        if name not in names:
            raise InvalidError("--only", name, ", ".join(names))
    return [variant for variant in plan.variants if not only or variant.name in only]
