"""Builds what changed of a plan: freeze the source once, optimise, check agreement, then publish everything."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from command_line.extras import need
from model_repo_builder import agreement
from model_repo_builder.build import samples, verify
from model_repo_builder.build.check import check, check_form
from model_repo_builder.engines.base import Job
from model_repo_builder.errors import BuilderError, BuildError, UnsupportedError, first_line
from model_repo_builder.examples.kinds import kind_of
from model_repo_builder.plan.schema import Plan, Variant
from model_repo_builder.report import BuildLog, Row
from model_repo_builder.repository import alias, fingerprint, manifest, publish
from model_repo_builder.repository.manifest import Manifest
from model_repo_builder.repository.stage import Built, Stage, size_of
from model_repo_builder.signature import InputForm, Signature
from model_repo_builder.sources import specification
from model_repo_builder.sources.freeze import Frozen, freeze

if TYPE_CHECKING:
    from model_repo_builder.agreement import Answers
    from model_repo_builder.engines.base import Predict
    from model_repo_builder.examples.kinds import Examples


# What makes variants and runs them, whatever the plan; an engine asks for its own.
_PACKAGES = ("tensorflow", "onnx", "tf2onnx", "onnxruntime")


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
    publish.check_output(repository)
    ready(plan)
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
        refused: list[UnsupportedError] = []
        with log.counting(len(steps)):
            for step in steps:
                try:
                    rows.append(_row(step, cache, stage, made))
                except UnsupportedError as error:
                    stage.drop(step.variant)
                    log.event(step.variant.name, f"NOT BUILT: {error}")
                    refused.append(error)
                log.done()
        for name in stage.publish():
            log.event(name, "published")
    if refused:
        others = ", ".join(row.manifest.variant for row in rows) or "no other"
        raise BuildError("; ".join(str(error) for error in refused) + f" (built: {others})")
    return rows


def _row(step: Step, cache: BuildCache, stage: Stage, made: dict[str, Manifest]) -> Row:
    """Bring one variant up to date; `made` are the artefacts of this build by their fingerprints."""
    if step.reusable:
        return _renew(step, stage, cache.log)
    if step.artefact in made:
        return _share(step, made[step.artefact], stage, cache.log)
    row = _make(step, cache, stage, cache.log)
    made[step.artefact] = row.manifest
    return row


def ready(plan: Plan) -> None:
    """All that can stop a build before any work: a missing package, an engine unavailable here, what `check` finds."""
    need("builder", *_PACKAGES)
    for variant in plan.chosen:
        reason = variant.resolved_engine.unavailable(plan.compute_capability)
        if reason is not None:
            raise BuildError(f"variants.{variant.name}.engine: {reason}")
    check(plan)


class BuildCache:
    """What the variants of one build share, made at first use: the frozen source, examples, reference outputs."""

    def __init__(self, plan: Plan, steps: Sequence[Step], folder: Path, log: BuildLog) -> None:
        self.plan = plan
        self._folder = folder
        self.log = log
        self._forms: set[InputForm] = set()
        for form in (plan.form(step.variant) for step in steps if not step.reusable):
            self._forms |= {form, self.base(form)}
        self._references: dict[InputForm, Answers] = {}
        self._conversions: dict[InputForm, str | None] = {}
        self._samples: dict[tuple[str, int | None], Examples] = {}

    def base(self, form: InputForm) -> InputForm:
        """The form that all variants with sequences of this length start from: of the plan's own dtype."""
        return replace(self.plan.model.form, length=form.length)

    @cached_property
    def frozen(self) -> Frozen:
        """The frozen graph; says what its weights are."""
        plan, model = self.plan, self.plan.model
        self.log.event(model.name, f"freezing {model.source}")

        def sampler(signature: Signature, count: int) -> Examples:
            return samples.evaluation_set(plan, samples.with_kind(plan, signature), count)

        frozen = freeze(model, self._folder, self._forms, sampler)
        self.log.event(model.name, f"weights: {frozen.weights}")
        if not frozen.pretrained:
            self.log.event(model.name, "RANDOM WEIGHTS: speed and sizes are real, predictions mean nothing")
        for note in frozen.notes:
            self.log.event(model.name, note)
        return replace(frozen, signature=samples.with_kind(plan, frozen.signature))

    def calibration(self, form: InputForm) -> Examples:
        """Examples that set ranges."""
        return self._examples("calibration", form, samples.calibration)

    def evaluation_set(self, form: InputForm) -> Examples:
        """Examples of the agreement check."""
        return self._examples("agreement", form, samples.evaluation_set)

    def source(self, form: InputForm) -> Predict:
        """The source itself, for requests of the base of this form."""
        from model_repo_builder.engines import tensorflow

        base = self.base(form)
        return tensorflow.load_savedmodel(self.frozen.savedmodel(base), self.frozen.signature.in_form(base))

    def reference(self, form: InputForm) -> Answers:
        """Outputs of the source itself for the evaluation set."""
        base = self.base(form)
        if base not in self._references:
            signature = self.frozen.signature.in_form(base)
            self._references[base] = agreement.run(self.source(base), self.evaluation_set(base), signature)
        return self._references[base]

    def conversion_fault(self, form: InputForm) -> str | None:
        """How the ONNX graph that variants are made of answers otherwise than the source; None where there is none."""
        base = self.base(form)
        if base not in self._conversions:
            folder, signature = self.frozen.savedmodel(base), self.frozen.signature.in_form(base)
            answers = (self.reference(base), verify.converted(folder, self.evaluation_set(base), signature))
            self._conversions[base] = verify.conversion(self.plan, *answers, signature)
        return self._conversions[base]

    def _examples(self, section: str, form: InputForm, load: Callable[[Plan, Signature], Examples]) -> Examples:
        """Loaded once for all variants that take sequences of the same length, or anything else."""
        key = (section, form.length)
        if key not in self._samples:
            self._samples[key] = load(self.plan, self.frozen.signature.in_form(self.base(form)))
        return self._samples[key]


def _make(step: Step, cache: BuildCache, stage: Stage, log: BuildLog) -> Row:
    """Build and check one artefact in the staging directory."""
    plan, variant = cache.plan, step.variant
    form = plan.form(variant)
    frozen = cache.frozen
    signature = frozen.signature.in_form(form)
    check_form(plan, variant, signature)
    for warning in variant.warnings:
        log.event(variant.name, f"WARNING: {warning}")
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
    with _failures_named(variant):
        notes = variant.resolved_engine.build(job)
        result = _verified(variant, cache, job)
        signature = variant.resolved_engine.known_sizes(version, signature)
    examples = stage.keep(variant, cache.evaluation_set(form), signature)
    seconds = time.monotonic() - started
    made = stage.manifest(Built(variant, signature, result, notes, seconds, examples), frozen, step.artefact)
    _require_agreement(variant, result, frozen.pretrained)
    stage.finish(variant, made)
    log.event(variant.name, f"built in {seconds:.1f} s, {result.summary}")
    for warning in (*result.warnings, *_without_alias(signature)):
        log.event(variant.name, f"WARNING: {warning}")
    return Row(made, "built", seconds, size_of(version))


@contextmanager
def _failures_named(variant: Variant) -> Iterator[None]:
    """What an engine or the disk fails of, as an error of the builder that names the variant."""
    try:
        yield
    except UnsupportedError as error:
        raise UnsupportedError(f"variants.{variant.name}: {_with_allowed(str(error), variant)}") from None
    except (BuilderError, MemoryError):
        raise
    except OSError as error:
        # The disk's fault and not the engine's; copying a tree tells of each file that it could not copy.
        first = error.args[0][0][2] if isinstance(error, shutil.Error) else error
        raise BuildError(f"variants.{variant.name}: {first}") from error
    except Exception as error:
        reason = _with_allowed(f"{variant.engine} fails on the examples: {first_line(error)}", variant)
        raise UnsupportedError(f"variants.{variant.name}: {reason}") from error


def _without_alias(signature: Signature) -> tuple[str, ...]:
    name = alias.shared_name(signature)
    found = f"no alias by the model's name, as {name} is an input and an output: clients ask for the variant itself"
    return (found,) if name else ()


def _with_allowed(reason: str, variant: Variant) -> str:
    """What an engine can't do, and what can: the engine of the SavedModel itself runs whatever TensorFlow does."""
    if "; allowed: " in reason:
        return reason
    return f"{reason}; allowed: {'another engine' if variant.engine == 'tensorflow' else 'engine tensorflow'}"


def _verified(variant: Variant, cache: BuildCache, job: Job) -> agreement.Result:
    """How far the artefact agrees with the source; BuildError where it is another model, or mixes rows."""
    plan, signature, form = cache.plan, job.signature, cache.plan.form(variant)
    examples = cache.evaluation_set(form)
    engine = variant.resolved_engine
    predict = verify.as_served(variant, job) if engine.executes_here() else engine.load(job.folder, signature)
    candidate = agreement.run(predict, examples, signature)
    kind = kind_of(signature).sample_kind
    result = agreement.compare(cache.reference(form), candidate, signature, plan.agreement.outputs, kind)
    fault = agreement.more_than_rounding(result) if variant.precision == "fp32" else None
    if fault and variant.device == "gpu" and not agreement.more_than_rounding(result, agreement.TF32_ROUNDING):
        result = result.model_copy(update={"warnings": (*result.warnings, f"FP32 is TF32 on this GPU: {fault}")})
    elif fault or variant.precision == "fp32":
        fault = fault or verify.other_sizes(cache.source(form), predict, examples, signature)
        if fault:
            raise UnsupportedError(f"{variant.engine} gives another answer than the source: {fault}")
    if variant.precision != "fp32" and (fault := cache.conversion_fault(form)):
        raise UnsupportedError(f"its graph in fp32 gives another answer than the source: {fault}")
    fault = verify.rows(predict, examples, signature, result)
    if fault:
        raise UnsupportedError(f"{fault}; allowed: {verify.rows_apart(variant)}")
    return result


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
    miss = agreement.shortfall(result, variant.agreement, pretrained=pretrained)
    if miss is not None:
        raise BuildError(f"variants.{variant.name}.{miss}")
