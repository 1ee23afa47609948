"""Builds what changed of a plan: freeze the source once, optimise, check agreement, then publish everything."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from model_repo_builder import agreement
from model_repo_builder.engines.base import Job
from model_repo_builder.errors import BuilderError, BuildError
from model_repo_builder.examples import photographs
from model_repo_builder.plan.schema import Plan, Variant
from model_repo_builder.report import BuildLog, Row
from model_repo_builder.repository import fingerprint, manifest, publish
from model_repo_builder.repository.manifest import Manifest
from model_repo_builder.repository.stage import Built, Stage, size_of
from model_repo_builder.signature import InputForm
from model_repo_builder.sources import specification
from model_repo_builder.sources.freeze import Frozen, freeze

if TYPE_CHECKING:
    from model_repo_builder.engines.base import Outputs
    from model_repo_builder.examples.kinds import Examples


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


def build(plan: Plan, repository: Path, log: BuildLog) -> list[Row]:
    """Bring the variants of `plan` in `repository` up to date; returns a row for each, in the plan's order.

    Raises InvalidError before any work, BuildError when an engine or an agreement check fails; then nothing of
    this build is published.
    """
    ready(plan)
    publish.check_output(repository)
    identity = specification.identity(plan.model)
    with publish.staging(repository) as folder:
        steps = [
            Step(variant, fingerprint.artefact(plan, variant, identity), manifest.read(repository / variant.name))
            for variant in plan.chosen
        ]
        cache = BuildCache(plan, steps, folder / "source", log)
        stage = Stage(plan, identity, repository, folder / "variants")
        rows: list[Row] = []
        made: dict[str, Manifest] = {}
        with log.counting(len(steps)):
            for step in steps:
                if step.reusable:
                    rows.append(_renew(step, stage, log))
                elif step.artefact in made:
                    rows.append(_share(step, made[step.artefact], stage, log))
                else:
                    rows.append(_make(step, cache, stage, log))
                    made[step.artefact] = rows[-1].manifest
                log.done()
        for name in stage.publish():
            log.event(name, "published")
    return rows


def ready(plan: Plan) -> None:
    """All that can stop a build before any work: an engine that is unavailable here, or what `check` finds."""
    for variant in plan.chosen:
        reason = variant.resolved_engine.unavailable(plan.compute_capability)
        if reason is not None:
            raise BuildError(f"variants.{variant.name}.engine: {reason}")
    check(plan)


def check(plan: Plan) -> None:
    """Everything about a plan that can be checked without TensorFlow, beyond its own syntax."""
    specification.check(plan.model)
    kind = plan.model.kind
    for section, origin in (("calibration", plan.calibration.source), ("agreement", plan.agreement.source)):
        if origin is not None:
            kind.check(origin, f"{section}.{kind.sample_kind}")


class BuildCache:
    """What the variants of one build share, made at first use: the frozen source, examples, reference outputs."""

    def __init__(self, plan: Plan, steps: Sequence[Step], folder: Path, log: BuildLog) -> None:
        self.plan = plan
        self._folder = folder
        self._log = log
        self._forms: set[InputForm] = set()
        for form in (plan.form(step.variant) for step in steps if not step.reusable):
            self._forms |= {form, self.base(form)}
        self._references: dict[InputForm, Outputs] = {}
        self._shown: dict[tuple[str, int | None], Examples] = {}

    def base(self, form: InputForm) -> InputForm:
        """The form that all variants with sequences of this length start from: of the plan's own dtype."""
        return replace(self.plan.model.form, length=form.length)

    @cached_property
    def frozen(self) -> Frozen:
        """The frozen graph; says what its weights are."""
        model = self.plan.model
        self._log.event(model.name, f"freezing {model.source}")
        frozen = freeze(model, self._folder, self._forms)
        self._log.event(model.name, f"weights: {frozen.weights}")
        if not frozen.pretrained:
            self._log.event(model.name, "RANDOM WEIGHTS: speed and sizes are real, predictions mean nothing")
        return frozen

    def calibration(self, form: InputForm) -> Examples:
        """Examples that set ranges."""
        return self._examples("calibration", str(self.plan.calibration.source), self.plan.calibration.count, form)

    def evaluation_set(self, form: InputForm) -> Examples:
        """Examples of the agreement check; not those of the calibration where the set has others."""
        origin = fingerprint.agreement_source(self.plan)
        has_others = origin in (self.plan.calibration.source, photographs.NAME)
        skip = self.plan.calibration.count if has_others else 0
        return self._examples("agreement", origin, self.plan.agreement.count, form, skip)

    def reference(self, form: InputForm) -> Outputs:
        """Outputs of the source itself for what is held out."""
        from model_repo_builder.engines import tensorflow

        base = self.base(form)
        if base not in self._references:
            predict = tensorflow.load_savedmodel(self.frozen.savedmodel(base), self.frozen.signature.in_form(base))
            self._references[base] = agreement.run(predict, self.evaluation_set(base))
        return self._references[base]

    def _examples(self, section: str, origin: str, count: int, form: InputForm, skip: int = 0) -> Examples:
        """Loaded once for all variants that take sequences of the same length, or images."""
        kind, key = self.plan.model.kind, (section, form.length)
        if key not in self._shown:
            field, signature = f"{section}.{kind.sample_kind}", self.frozen.signature.in_form(form)
            self._shown[key] = kind.load(origin, field, count, signature, skip)
        return self._shown[key]


def _make(step: Step, cache: BuildCache, stage: Stage, log: BuildLog) -> Row:
    """Build and check one artefact in the staging directory."""
    plan, variant = cache.plan, step.variant
    form = plan.form(variant)
    frozen = cache.frozen
    signature = frozen.signature.in_form(form)
    started = time.monotonic()
    calibration = cache.calibration(form) if variant.needs_calibration else None
    if calibration is not None:
        log.event(variant.name, f"calibration: {fingerprint.calibration(plan)}")
    version = stage.version_folder(variant)
    job = Job(
        savedmodel=frozen.savedmodel(form),
        signature=signature,
        base=frozen.savedmodel(cache.base(form)),
        base_signature=frozen.signature.in_form(cache.base(form)),
        precision=variant.precision,
        options=variant.engine_options,
        calibration=calibration,
        max_batch_size=variant.max_batch_size,
        folder=version,
        progress=lambda text: log.event(variant.name, text),
    )
    try:
        notes = variant.resolved_engine.build(job)
        candidate = agreement.run(variant.resolved_engine.load(version, signature), cache.evaluation_set(form))
    except BuilderError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:400]
        raise BuildError(
            f"variants.{variant.name}: {variant.engine} failed: {type(error).__name__}: {reason}"
        ) from error
    seconds = time.monotonic() - started
    result = agreement.compare(cache.reference(form), candidate, signature.answer, plan.model.kind.sample_kind)
    made = stage.manifest(Built(variant, signature, result, notes, seconds), frozen, step.artefact)
    _require_agreement(variant, result, frozen.pretrained)
    stage.finish(variant, made)
    log.event(variant.name, f"built in {seconds:.1f} s, top-1 agreement {result.top1:.1%} of {result.samples}")
    return Row(made, "built", seconds, size_of(version))


def _renew(step: Step, stage: Stage, log: BuildLog) -> Row:
    """Keep a published artefact; stage new files around it where they differ."""
    assert step.published is not None
    started = time.monotonic()
    _require_agreement(step.variant, step.published.agreement, step.published.pretrained)
    renewed = stage.renew(step.variant, step.published, stage.repository)
    action = "unchanged" if renewed is step.published else "config rewritten"
    log.event(step.variant.name, f"{action}; weights: {renewed.weights}")
    return Row(renewed, action, time.monotonic() - started, size_of(stage.repository / step.variant.name / "1"))


def _share(step: Step, twin: Manifest, stage: Stage, log: BuildLog) -> Row:
    """Serve the artefact that another variant of this build has just got in this one's own way."""
    started = time.monotonic()
    _require_agreement(step.variant, twin.agreement, twin.pretrained)
    made = stage.renew(step.variant, twin.model_copy(update={"config": ""}), stage.folder)
    log.event(step.variant.name, f"the same artefact as {twin.variant}")
    return Row(made, f"as {twin.variant}", time.monotonic() - started, size_of(stage.folder / step.variant.name / "1"))


def _require_agreement(variant: Variant, result: agreement.Result, pretrained: bool) -> None:
    miss = agreement.shortfall(result, variant.agreement, pretrained)
    if miss is not None:
        raise BuildError(f"variants.{variant.name}.{miss}")
